"""Shards, partitions and lanes that change hands, and owners that do not notice."""

from __future__ import annotations

import asyncio

from infrastructure.outbox.leases import Leases
from tests.proof.faults.fault import Fault, OneMore
from tests.proof.system import System, until
from tests.proof.traffic import Traffic


class Zombie(Fault):
    name = "SIGSTOP of a shard owner until its lease is another's"
    passes = 4

    async def strike(self, system: System, traffic: Traffic) -> str:
        pid = system.pids("relay")[0]

        async def is_another_s() -> bool:
            owners = await Leases(system.pool, "").owners()
            return bool(owners) and all(f"/{pid}/" not in owner for owner, _, _ in owners)

        with system.stopped(pid):
            taken = await until(is_another_s)
            await asyncio.sleep(1)
        return f"its shards were another's after {taken:.1f} s; woken, it deleted nothing of theirs (checked below)"


class FreezeProjector(Fault):
    name = "SIGSTOP of the projector until its partitions are another's"

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with OneMore(system, "project"):
            with system.stopped(system.pids("project")[0]):
                await asyncio.sleep(12)
        return "12 s, then both ran on and the second left"


class FreezePusher(Fault):
    name = "SIGSTOP of the pusher for 10 s"

    async def strike(self, system: System, traffic: Traffic) -> str:
        with system.stopped(system.pids("push")[0]):
            await asyncio.sleep(10)
        return "its shop's lane stood still meanwhile"


class ThirdRelay(Fault):
    name = "a third relay comes and goes"

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with OneMore(system, "relay"):

            async def shares() -> bool:
                return len(await Leases(system.pool, "").owners()) == 3

            took = await until(shares)
            await asyncio.sleep(1)
        return f"all three held shards after {took:.1f} s; it left in order"


class Rebalance(Fault):
    name = "a second projector and reactor come and go (rebalances)"

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with OneMore(system, "project"), OneMore(system, "react"):
            await asyncio.sleep(6)
        return "four rebalances"
