"""The ways in which the system is hurt: each a class with a name, what it does, what may be repeated.

`passes` is how many passes of a relay may be sent a second time because of the fault: one that Kafka has acknowledged
or may have, and one whose rows were being deleted, for each relay that it cuts off.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack, suppress
from typing import ClassVar, Final

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infrastructure.kafka import parking
from infrastructure.kafka.topics import PRODUCT, STOCK
from infrastructure.local_stack.stack import Part as Server
from infrastructure.outbox import operations
from infrastructure.outbox.leases import Leases
from projections.registry import VIEWS
from projections.runner import LIVE
from services.supervisor import SYNCSTORE
from tests.proof.system import PATIENCE, System, server_down, until
from tests.proof.traffic import Traffic


class Fault:
    name: ClassVar[str]
    passes: ClassVar[int] = 0
    planted: ClassVar[int] = 0
    """Records that are none, which the fault leaves in the topics."""

    async def strike(self, system: System, traffic: Traffic) -> str:
        """While everything is at work; answers what was measured besides recovery."""
        raise NotImplementedError


async def _killed(system: System, part: str, number: int = 0) -> str:
    before = system.pids(part)
    system.kill(part, number)

    async def back() -> bool:
        return len(system.pids(part)) == len(before) and before[number] not in system.pids(part)

    return f"started again after {await until(back):.1f} s"


class KillApi(Fault):
    name = "kill -9 of the API"

    async def strike(self, system: System, traffic: Traffic) -> str:
        broke = traffic.journal.counts["connections that broke"]
        told = await _killed(system, "api")

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
        return await _killed(system, "relay")


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
            await _killed(system, "relay")
            await asyncio.sleep(0.3)
        return "each as soon as it had come back"


class KillProjector(Fault):
    name = "kill -9 of the projector"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await _killed(system, "project")


class KillReactor(Fault):
    name = "kill -9 of the reactor"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await _killed(system, "react")


class KillPusher(Fault):
    name = "kill -9 of the pusher"

    async def strike(self, system: System, traffic: Traffic) -> str:
        return await _killed(system, "push")


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
        async with _one_more(system, "project"):
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
        async with _one_more(system, "relay"):

            async def shares() -> bool:
                return len(await Leases(system.pool, "").owners()) == 3

            took = await until(shares)
            await asyncio.sleep(1)
        return f"all three held shards after {took:.1f} s; it left in order"


class Rebalance(Fault):
    name = "a second projector and reactor come and go (rebalances)"

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with _one_more(system, "project"), _one_more(system, "react"):
            await asyncio.sleep(6)
        return "four rebalances"


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


class PoisonForProjector(Fault):
    name = "a record that the projector cannot read"
    planted = 1

    async def strike(self, system: System, traffic: Traffic) -> str:
        key = traffic.products[0].id
        async with AIOKafkaProducer(**system.kafka.client_options()) as producer:
            await producer.send_and_wait(PRODUCT, b"{", key.encode(), headers=[("ce_id", b"poison")])

        async def parked() -> bool:
            return any(one.key == key for one in await parking.list_parked(system.pool, LIVE))

        await until(parked, what="for the record to be parked")
        await asyncio.sleep(2)
        (behind,) = await system.row("select count(*) from consumer_parked where key = %s", key)
        told = f"{behind} records of its key were parked with it"
        dropped: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while waiting := await parking.list_parked(system.pool):
                for one in waiting:
                    if one.consumer not in dropped:
                        await parking.drop(system.pool, one.consumer, one.key, because="planted", by="proof")
                        dropped.add(one.consumer)
                        continue
                    await _syncstore(system, "consumers", "release", one.consumer, one.key)
        return f"{told}; dropped, the others released in order"


class TopicDeleted(Fault):
    name = "the topic of stock deleted, made anew and fed again from the event store"
    passes = 4

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with AsyncExitStack() as frozen:
            for pid in system.pids("relay"):
                frozen.enter_context(system.stopped(pid))

            async def nobody_relays() -> bool:
                return not await Leases(system.pool, "").owners()

            await until(nobody_relays)
            admin = AIOKafkaAdminClient(**system.kafka.client_options())
            await admin.start()
            try:
                await admin.delete_topics([STOCK])

                async def gone() -> bool:
                    return STOCK not in await admin.list_topics()

                await until(gone)
            finally:
                await admin.close()
            await _syncstore(system, "topics")
            started = time.monotonic()
            await _syncstore(system, "relay", "republish", "--from-position", "0", "--topic", STOCK)
            took = time.monotonic() - started
        (events,) = await system.row("select count(*) from events where stream_id like 'stock-%%'")
        return f"{events} events fed again in {took:.1f} s while the relays were stopped"


class PoisonForRelay(Fault):
    name = "an event that Kafka refuses"

    async def strike(self, system: System, traffic: Traffic) -> str:
        await _limit(system, 100_000)
        product = await traffic.store_large(200_000)

        async def parked() -> bool:
            return any(one.key == product and one.events == 2 for one in await operations.parked(system.pool))

        await until(parked, what="for the event to be parked")
        await _limit(system, 1_048_588)
        await _syncstore(system, "relay", "release", product)
        return "it and the next of its product waited until Kafka took more; released in order"


class Rebuild(Fault):
    name = "every view rebuilt while it is read"

    async def strike(self, system: System, traffic: Traffic) -> str:
        told = []
        for view in VIEWS:
            started = time.monotonic()
            await _syncstore(system, "projections", "rebuild", view.name)
            told.append(f"{view.name} in {time.monotonic() - started:.1f} s")
        return ", ".join(told)


class KilledRebuild(Fault):
    name = "a rebuild killed, again and again, then finished"

    async def strike(self, system: System, traffic: Traffic) -> str:
        for seconds in (1.0, 1.5, 2.0, 3.0):
            process = await _started(system, "projections", "rebuild", "catalogue")
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await _syncstore(system, "projections", "rebuild", "catalogue")
        return "killed after 1, 1.5, 2 and 3 s"


class _one_more:  # noqa: N801  # used as a context manager
    """Another process of a part, ended in order."""

    def __init__(self, system: System, part: str) -> None:
        self._system, self._part = system, part

    async def __aenter__(self) -> None:
        self._process = await _started(self._system, self._part)

    async def __aexit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), 30)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


async def _limit(system: System, size: int) -> None:
    """Of a record of a product, in bytes."""
    admin = AIOKafkaAdminClient(**system.kafka.client_options())
    await admin.start()
    try:
        config = {"max.message.bytes": str(size), "retention.ms": "-1", "retention.bytes": "-1"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PRODUCT, configs=config)])
    finally:
        await admin.close()


async def _started(system: System, *words: str) -> asyncio.subprocess.Process:
    with (system.log.parent / "others.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *SYNCSTORE, *words, env=system.environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )


async def _syncstore(system: System, *words: str) -> None:
    process = await _started(system, *words)
    async with asyncio.timeout(PATIENCE):
        code = await process.wait()
    said = (system.log.parent / "others.log").read_text(errors="replace")[-2_000:]
    assert code == 0, f"syncstore {' '.join(words)} ended with {code}: {said}"


ALL: Final[tuple[type[Fault], ...]] = (
    KillRelay,
    KillProjector,
    KillApi,
    KillPusher,
    KillReactor,
    TerminateBackends,
    Zombie,
    KillBroker,
    KillPostgres,
    KillAllRelays,
    CrashBackend,
    RestartBroker,
    RestartPostgres,
    FreezeBroker,
    FreezeProjector,
    FreezePusher,
    ThirdRelay,
    Rebalance,
    KillRelayAgainAndAgain,
    RollingRestart,
    PoisonForProjector,
    PoisonForRelay,
    TopicDeleted,
    Rebuild,
    KilledRebuild,
    HeldTransaction,
)
