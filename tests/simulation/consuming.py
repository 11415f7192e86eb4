"""Members of a consumer group: killed, frozen, rebalanced, refused by their effect, put back by a restored database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry

from domain.errors import Transient
from domain.messages import RecordedEvent
from infrastructure.kafka import parking
from infrastructure.kafka.cloudevents import Header
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.delivery import ONE_LANE, Lanes
from infrastructure.kafka.effect import Effect
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.partitions import partition_of
from infrastructure.kafka.records import _SCHEMAS
from infrastructure.kafka.topics import BY_CATEGORY, PRODUCT, STOCK
from infrastructure.outbox.reader import Pending
from infrastructure.postgres.errors import DatabaseUnavailable
from relay.publisher import headers_of
from tests.simulation.broker import PARTITIONS, SESSION_SECONDS, Batch
from tests.simulation.database import STATEMENTS, Result, Transaction, Values
from tests.simulation.relaying import KAFKA
from tests.simulation.scheduler import Process
from tests.simulation.world import STREAMS, Violation, World, recorded

METRICS: Final = ConsumerMetrics(CollectorRegistry())
NAME: Final = "simulated"
TWO_LANES: Final = Lanes(2, worth_it_from=2)
OUTAGES: Final = (Transient("not now"), DatabaseUnavailable("the event store, asked by the effect, does not answer"))
NEWER: Final = 2
"""A schema of the event that is read once SyncStore has been upgraded."""
RECORD: Final = "simulation: record that an event was applied"


@STATEMENTS.means(RECORD, "apply")
def _apply(tx: Transaction, p: Values) -> Result:
    before: tuple[bytes, ...] = tx.get("applied", p["stream"]) or ()
    tx.put("applied", p["stream"], (*before, p["event_id"]))
    return Result(rowcount=1)


class Applied:
    """The effect: notes each event, for ever. It refuses some, and is not ready for any now and then."""

    name = NAME
    topics = (PRODUCT, STOCK)

    def __init__(self, world: World) -> None:
        self._world = world

    async def apply(self, connection: Any, events: Sequence[RecordedEvent]) -> None:
        world = self._world
        if not world.database.weather.fair and world.chance(0.02):
            world.trouble += 1
            raise world.random.choice(OUTAGES)
        for event in events:
            identity = str(event.event_id).encode()
            if identity in world.refusing:
                raise ValueError("of no use to us")
            await connection.execute(RECORD, {"stream": event.stream_id, "event_id": identity})


class Consumers:
    def __init__(self, world: World, effect: Effect, lanes: Lanes = ONE_LANE) -> None:
        self.world = world
        self.effect = effect
        self.batch = world.random.choice((1, 2, 4, 100))
        self.lanes = lanes
        self.stall_after = world.random.choice((5.0, 10_000.0))
        """With and without a watchdog that would hide what else keeps a member from going on."""
        self.names = 0
        self.stops: dict[str, asyncio.Event] = {}

    def start(self) -> Process:
        self.names += 1
        name = f"member-{self.names}"
        stop = self.stops[name] = asyncio.Event()
        consumer = Consumer(
            self.effect,
            self.world.database.pool(),
            KAFKA,
            batch_size=self.batch,
            lanes=self.lanes,
            measure_every=0.3,
            stall_after=self.stall_after,
            session_seconds=SESSION_SECONDS,
            metrics=METRICS,
        )
        return self.world.start(name, lambda: consumer.run(stop))

    def living(self) -> list[Process]:
        return [process for process in self.world.living() if process.name in self.stops]

    def disturb(self) -> None:
        world, random = self.world, self.world.random
        members = self.living()
        match random.randrange(10):
            case 0 | 1 if members:
                world.kill(random.choice(members))
                self.start()
            case 2 | 3 if members:
                world.freeze(random.choice(members), random.random() * 2 * SESSION_SECONDS)
            case 4:
                world.stop_broker(random.random() * 0.3)
            case 5:
                world.restart_database()
            case 6 if len(members) < 3:
                self.start()
            case 7 if len(members) > 1:
                self.stops[random.choice(members).name].set()
            case _:
                pass

    async def operate(self) -> None:
        """An operator releases or drops what waits, whether or not it can be applied now."""
        world = self.world
        keys = sorted({row.key for row in world.database.tables["consumer_parked"].values()})
        if not keys:
            return
        key = world.random.choice(keys)
        if world.chance(0.5):
            world.refusing.clear()
        try:
            if world.chance(0.25):
                await parking.drop(world.pool, self.effect.name, key, because="of no use", by="rina")
            else:
                await parking.release(world.pool, self.effect, key)
        except (parking.NotParked, parking.StillRefused):
            pass

    async def drain(self) -> None:
        world = self.world
        world.refusing.clear()
        _SCHEMAS["product.renamed"] = NEWER
        if all(self.stops[process.name].is_set() for process in self.living()):
            self.start()
        parked = world.database.tables["consumer_parked"]
        await world.until(self.has_read_all, "consumers that have read everything")
        self.check_parked()
        while parked:
            key = min(row.key for row in parked.values())
            await parking.release(world.pool, self.effect, key)
        for stop in self.stops.values():
            stop.set()
        await world.until(lambda: not self.living(), "consumers that end when asked to")

    def has_read_all(self) -> bool:
        offsets = self.world.database.tables["consumer_offsets"]
        return all(
            offsets.get((self.effect.name, *partition), 0) == len(log)
            for partition, log in self.world.broker.logs.items()
            if partition.topic in self.effect.topics
        )

    def check_parked(self) -> None:
        """A record waits for a person for its own sake, or for that of one before it."""
        for row in self.world.database.tables["consumer_parked"].values():
            if any(type(outage).__name__ in row.reason for outage in OUTAGES):
                raise Violation(f"{row.key}: set aside at offset {row.offset} because of {row.reason}")

    def check(self) -> None:
        """What was applied of each stream is what its partition holds of it, each record once and in order."""
        tables = self.world.database.tables
        dropped = {(row.topic, row.partition, row.offset) for row in tables["consumer_dropped"].values()}
        for stream in STREAMS:
            held = [
                record.event_id
                for record in self.world.records_of(stream)
                if (record.topic, record.partition, record.offset) not in dropped
            ]
            applied = list(tables["applied"].get(stream, ()))
            if applied != held:
                raise Violation(f"{stream}: Kafka holds {_short(held)}, applied were {_short(applied)}")


def _short(identities: Sequence[bytes]) -> list[int]:
    return [int(identity[-12:], 16) for identity in identities]


def produce(world: World) -> None:
    """As a relay does that repeats itself now and then."""
    stream = world.random.choice(STREAMS)
    rows = world.committed[stream]
    for _ in range(world.random.randrange(1, 4)):
        row = recorded(world.database.next_of("event_position"), stream, len(rows) + 1)
        rows.append(row)
        if world.chance(0.06):
            world.refusing.add(row.event_id)
    start = max(len(rows) - world.random.randrange(1, 4), 0)
    for row in rows[start:]:
        publish(world, row, unreadable=world.chance(0.04))


def publish(world: World, row: Pending, *, unreadable: bool = False) -> None:
    topic = BY_CATEGORY[row.stream_id.decode().partition("-")[0]]
    batch = Batch()
    headers: list[Header] = headers_of(row)
    if unreadable:
        headers = [*headers, ("ce_dataschema", b"urn:syncstore:product.renamed:%d" % NEWER)]
    batch.append(timestamp=0, key=row.partition_key, value=row.data, headers=headers)
    world.broker.write(Partition(topic, partition_of(row.partition_key, PARTITIONS)), batch)


async def in_lanes(world: World) -> None:
    """The same with two transactions at a time."""
    await schedule(world, TWO_LANES)


async def schedule(world: World, lanes: Lanes = ONE_LANE) -> None:
    _SCHEMAS["product.renamed"] = 1
    consumers = Consumers(world, Applied(world), lanes)
    for _ in range(world.random.choice((1, 1, 2, 3))):
        consumers.start()
    for _ in range(world.random.randrange(5, 18)):
        match world.random.randrange(8):
            case 0 | 1:
                consumers.disturb()
            case 2:
                consumers.check_parked()
                with world.forgiving():
                    await consumers.operate()
            case 3 if world.chance(0.3):
                restore(world)
            case _:
                produce(world)
        await world.moment()
    world.heal()
    await consumers.drain()
    world.still_well()
    consumers.check()


def restore(world: World) -> None:
    """The database is put back to how it was when it was saved last; Kafka knows nothing of that."""
    world.restart_database()
    if world.saved is None:
        world.saved = {name: dict(rows) for name, rows in world.database.tables.items()}
        world.note("database saved")
    else:
        for name, rows in world.saved.items():
            world.database.tables[name] = dict(rows)
        world.note("database restored")
