"""Relays and their leases: killed, frozen, cut off from Kafka and from the database, while events are appended."""

from __future__ import annotations

import asyncio
from typing import Final

from prometheus_client import CollectorRegistry

from infrastructure.kafka.client import KafkaSettings
from infrastructure.outbox import operations
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from tests.simulation.scheduler import Process
from tests.simulation.world import STREAMS, Violation, World

KAFKA: Final = KafkaSettings(bootstrap="twin:9092")
METRICS: Final = RelayMetrics(CollectorRegistry())
LEASE_SECONDS: Final = 0.6
MOODS: Final = ("any", "any", "calm", "power cuts", "slow")
HAPPENS: Final = {"any": range(10), "calm": (6,), "power cuts": (5, 5, 5, 6), "slow": (2, 6, 9)}
"""In calm nothing is lost or killed: relays join, and shards change hands."""


class Relays:
    def __init__(self, world: World) -> None:
        self.world = world
        self.batch = world.random.choice((1, 2, 3, 5, 50))
        self.mood = world.random.choice(MOODS)
        if self.mood == "calm":
            for weather in (world.database.weather, world.broker.weather):
                weather.lost_before = weather.lost_after = 0.0
        if self.mood == "slow":
            world.database.weather.stalls = 0.03
        self.stop = asyncio.Event()
        self.names = 0
        self.dropped: set[int] = set()

    def start(self, name: str | None = None) -> Process:
        """Under a new name, or under that of one that has died."""
        if name is None:
            self.names += 1
            name = f"relay-{self.names}"
        world = self.world
        owner, pool = name, world.database.pool()
        return world.start(
            name,
            lambda: run_relay(
                pool,
                KAFKA,
                self.stop,
                owner=owner,
                metrics=METRICS,
                lease_seconds=LEASE_SECONDS,
                batch=self.batch,
                monotonic=world.loop.time,
            ),
        )

    def disturb(self) -> None:
        world, random = self.world, self.world.random
        relays = [process for process in world.living() if process.name.startswith("relay")]
        match random.choice(HAPPENS[self.mood]):
            case 0 | 1 if relays:
                victim = random.choice(relays)
                world.kill(victim)
                self.start(victim.name if world.chance(0.4) else None)
            case 2 | 3 if relays:
                world.freeze(random.choice(relays), random.random() * 2 * LEASE_SECONDS)
            case 4:
                world.stop_broker(random.random() * 0.5)
            case 5:
                world.restart_database()
            case 6 if len(relays) < 3:
                self.start()
            case _:
                pass

    async def operate(self) -> None:
        """An operator releases or drops what waits, whether or not Kafka would take it now."""
        world = self.world
        parked = world.database.tables["outbox_parked"]
        keys = sorted({row.key for row in parked.values()})
        if not keys:
            return
        key = world.random.choice(keys)
        if world.chance(0.3):
            world.broker.poison.clear()
        try:
            if world.chance(0.25):
                await operations.drop(world.pool, key, reason="of no use", by="rina")
            else:
                await operations.release(world.pool, key)
        except operations.NothingParked:
            pass

    async def drain(self) -> None:
        world = self.world
        tables = world.database.tables
        if not any(process.name.startswith("relay") for process in world.living()):
            self.start()
        await world.until(lambda: not tables["outbox"], "an outbox with nothing in it but what Kafka refuses")
        world.broker.poison.clear()
        while tables["outbox"] or tables["outbox_parked"]:
            for key in sorted({row.key for row in tables["outbox_parked"].values()}):
                await operations.release(world.pool, key)
            await world.until(lambda: not tables["outbox"], "an empty outbox")
        self.stop.set()
        await world.until(lambda: not world.living(), "relays that end when asked to")

    def check(self) -> None:
        world = self.world
        world.check_topics(set(world.database.tables["outbox_dropped"]))
        if world.database.tables["outbox"]:
            raise Violation("the outbox is not empty")


def append_something(world: World) -> None:
    random = world.random
    stream = random.choice(STREAMS)
    if stream in world.open and world.chance(0.6):
        world.end_append(stream, rolled_back=world.chance(0.1))
    else:
        world.append(stream, poison=0.05)
        if world.chance(0.5) and stream in world.open:
            world.end_append(stream)


async def schedule(world: World) -> None:
    relays = Relays(world)
    for _ in range(world.random.choice((1, 1, 2, 3))):
        relays.start()
    for _ in range(world.random.randrange(6, 24)):
        match world.random.randrange(8):
            case 0 | 1:
                relays.disturb()
            case 2:
                with world.forgiving():
                    await relays.operate()
            case _:
                append_something(world)
        await world.moment()
    world.heal()
    await relays.drain()
    world.still_well()
    relays.check()
