"""Views that are made anew while everything runs."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from projections.registry import VIEWS
from tests.proof.faults.fault import Fault, start, syncstore
from tests.proof.system import System
from tests.proof.traffic import Traffic


class Rebuild(Fault):
    name = "every view rebuilt while it is read"

    async def strike(self, system: System, traffic: Traffic) -> str:
        told = []
        for view in VIEWS:
            started = time.monotonic()
            await syncstore(system, "projections", "rebuild", view.name)
            told.append(f"{view.name} in {time.monotonic() - started:.1f} s")
        return ", ".join(told)


class KilledRebuild(Fault):
    name = "a rebuild killed, again and again, then finished"

    async def strike(self, system: System, traffic: Traffic) -> str:
        for seconds in (1.0, 1.5, 2.0, 3.0):
            process = await start(system, "projections", "rebuild", "catalogue")
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await syncstore(system, "projections", "rebuild", "catalogue")
        return "killed after 1, 1.5, 2 and 3 s"
