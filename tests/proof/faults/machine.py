"""What a machine does to all that runs on it: a disk that fills up, a clock that jumps."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import psycopg

from infrastructure.local_stack.stack import Part as Server
from tests.proof.faults.fault import Fault
from tests.proof.system import System, server_down, until
from tests.proof.traffic import Traffic

ROOM: Final = 48
"""Megabytes by which the log of the database may grow before its disk is full."""
HOUR: Final = 3_600.0


class DiskFull(Fault):
    """Of PostgreSQL's log: where it cannot be written, nothing can be committed, and the server gives up."""

    name = "disk of the database's log full"
    passes = 8

    def impossible(self) -> str | None:
        return None if os.geteuid() == 0 else "only root may mount the small disk that it needs"

    async def strike(self, system: System, traffic: Traffic) -> str:
        log = system.log.parent / "postgres" / "data" / "pg_wal"
        disk = system.log.parent / "small"
        await asyncio.to_thread(disk.mkdir)
        await server_down(system, Server.POSTGRES, signal.SIGINT)
        size = await asyncio.to_thread(_megabytes, log) + ROOM
        await _run("mount", "-t", "tmpfs", "-o", f"size={size}m,mode=755", "small", str(disk))
        try:
            await _run("mv", str(log), str(disk / "pg_wal"))
            await _run("ln", "-s", str(disk / "pg_wal"), str(log))
            await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
            full = await _fill(system)
            told = await until(lambda: _says_that_it_is_not_ready(system))
            await _gone(system)
            said = await asyncio.to_thread((log.parents[1] / "server.log").read_text, errors="replace")
            assert "No space left on device" in said, "the disk was not full"
            await _run("mount", "-o", f"remount,size={size + 1_000}m", str(disk))
            await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
            await asyncio.sleep(1)
            await server_down(system, Server.POSTGRES, signal.SIGINT)
            await _run("rm", str(log))
            await _run("mv", str(disk / "pg_wal"), str(log))
        finally:
            await _run("umount", "--lazy", str(disk))
        await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
        return f"full after {full:.1f} s, which the API told within {told:.1f} s; room was made and it went on"


class ClockJump(Fault):
    """Of every part, not of the database, which alone says how long a lease lasts."""

    name = "clock of all parts two hours ahead, then two hours behind"

    async def strike(self, system: System, traffic: Traffic) -> str:
        before = len(traffic.journal.acknowledged)
        for hours in (2, -2, 0):
            await asyncio.to_thread(system.clock.write_text, str(hours * HOUR))
            await asyncio.sleep(4)
        return f"{len(traffic.journal.acknowledged) - before} commands acknowledged in these 12 s"


def _megabytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 2**20 + 1


async def _fill(system: System) -> float:
    """Begins one file of the log after the other until there is no room for the next."""
    started = time.monotonic()
    with suppress(psycopg.OperationalError):
        while True:
            await system.as_owner("select pg_logical_emit_message(false, 'proof', 'x'), pg_switch_wal()")
    return time.monotonic() - started


async def _says_that_it_is_not_ready(system: System) -> bool:
    with suppress(httpx.HTTPError):
        return (await system.api.get("/health/ready")).status_code == 503
    return False


async def _gone(system: System) -> None:
    """The server ends by itself, or tries to start for ever: then it is ended."""
    with suppress(ProcessLookupError, AssertionError):
        await server_down(system, Server.POSTGRES, signal.SIGQUIT)


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {said.decode().strip()}"
