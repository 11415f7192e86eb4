"""Parts that die, or are restarted in order."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress

from tests.proof.faults.fault import Fault, killed
from tests.proof.system import System, until
from tests.proof.traffic import Traffic


class KillApi(Fault):
    name = "kill -9 of the API"

    async def strike(self, system: System, traffic: Traffic) -> str:
        broke = traffic.journal.counts["connections that broke"]
        told = await killed(system, "api")

        async def answers() -> bool:
            with suppress(Exception):
                return (await system.api.get("/health/live")).status_code == 200
            return False

        away = await until(answers)
        lost = traffic.journal.counts["connections that broke"] - broke
        return f"{told}, answered {away:.1f} s later; {lost} requests lost their connection and were asked again"


class KillRelay(Fault):
    name = "kill -9 of a relay"
    passes = 2

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await killed(system, "relay")


class KillAllRelays(Fault):
    name = "kill -9 of all relays"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        for pid in system.pids("relay"):
            os.kill(pid, signal.SIGKILL)
        waiting = 0
        for _ in range(20):
            waiting = max(waiting, (await system.row("select count(*) from outbox"))[0])
            await asyncio.sleep(0.1)
        return f"{waiting} events waited at the most in the two seconds after"


class KillRelayAgainAndAgain(Fault):
    name = "kill -9 of a relay, three times in a row"
    passes = 6

    async def strike(self, system: System, traffic: Traffic) -> str:
        for _ in range(3):
            await killed(system, "relay")
            await asyncio.sleep(0.3)
        return "each as soon as it had come back"


class KillProjector(Fault):
    name = "kill -9 of the projector"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await killed(system, "project")


class KillReactor(Fault):
    name = "kill -9 of the reactor"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await killed(system, "react")


class KillPusher(Fault):
    name = "kill -9 of the pusher"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await killed(system, "push")


class RollingRestart(Fault):
    name = "every part restarted in turn (SIGTERM)"

    async def strike(self, system: System, traffic: Traffic) -> str:
        names = [name for name in system.supervisor.pids if name != "shopee"]
        for name in names:
            pid = system.supervisor.pids[name]
            os.kill(pid, signal.SIGTERM)

            async def back(name: str = name, pid: int = pid) -> bool:
                return system.supervisor.pids.get(name, pid) != pid

            await until(back)
        return f"{len(names)} processes"
