"""What is done to PostgreSQL and to Kafka."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import ClassVar

import psycopg

from infrastructure.local_stack.stack import Part as Server
from tests.proof.faults.fault import Fault
from tests.proof.system import System, server_down
from tests.proof.traffic import Traffic


class TerminateBackends(Fault):
    name = "connections of all parts terminated"
    passes = 4

    async def strike(self, system: System, traffic: Traffic) -> str:
        (ended,) = await system.as_owner(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'syncstore-%'"
        )
        return f"{ended} connections"


class CrashBackend(Fault):
    name = "kill -9 of a PostgreSQL backend (the server recovers from its log)"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        (pid,) = await system.as_owner(
            "select pid from pg_stat_activity where application_name like 'syncstore-%' limit 1"
        )
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        await asyncio.sleep(0.2)
        await system.row("select 1")
        return f"the database answered again after {time.monotonic() - started:.1f} s"


class KillPostgres(Fault):
    name = "kill -9 of the PostgreSQL server"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        await server_down(system, Server.POSTGRES, signal.SIGKILL)
        await asyncio.sleep(1)
        started = time.monotonic()
        await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
        return f"up again {time.monotonic() - started:.1f} s after its start"


class RestartPostgres(Fault):
    name = "PostgreSQL restarted"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        await server_down(system, Server.POSTGRES, signal.SIGINT)
        await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
        return "fast shutdown"


class KillBroker(Fault):
    name = "kill -9 of the broker"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        await server_down(system, Server.KAFKA, signal.SIGKILL)
        await asyncio.sleep(1)
        (waiting,) = await system.row("select count(*) from outbox")
        await asyncio.to_thread(system.stack.up, [Server.KAFKA])
        return f"{waiting} events waited when it was started again"


class RestartBroker(Fault):
    name = "broker restarted during produce"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        await server_down(system, Server.KAFKA, signal.SIGTERM)
        await asyncio.to_thread(system.stack.up, [Server.KAFKA])
        return "clean shutdown"


class FreezeBroker(Fault):
    name = "SIGSTOP of the broker for 5 s"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        pid = system.stack.status().kafka.pid
        assert pid is not None
        with system.stopped(pid):
            await asyncio.sleep(5)
        return "longer than a produce request may take"


class HeldTransaction(Fault):
    name = "a transaction held open for 60 s"
    seconds: ClassVar[float] = 60.0

    async def strike(self, system: System, traffic: Traffic) -> str:
        free = await self._rate(system, 10)
        async with await psycopg.AsyncConnection.connect(system.url) as connection:
            await connection.execute("select pg_current_xact_id()")
            await connection.execute("select count(*) from events")
            held = await self._rate(system, self.seconds)
            await connection.rollback()
        (waiting,) = await system.row("select count(*) from outbox")
        return f"{free:.0f} events/s published before, {held:.0f}/s while it was held, {waiting} waited at its end"

    async def _rate(self, system: System, seconds: float) -> float:
        before, started = await system.published(), time.monotonic()
        await asyncio.sleep(seconds)
        return (await system.published() - before) / (time.monotonic() - started)
