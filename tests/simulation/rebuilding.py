"""A view that is rebuilt, again and again killed, while it is kept: appends, a relay, live members, two who rebuild."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from aiokafka.errors import KafkaError

from domain.messages import RecordedEvent
from infrastructure.kafka.delivery import ONE_LANE, Lanes
from infrastructure.kafka.offsets import OffsetsMoved
from infrastructure.kafka.topics import PRODUCT, STOCK
from infrastructure.outbox.reader import Pending
from projections.catch_up import TakenOver
from projections.fill import Source
from projections.rebuild import RebuildRunning, rebuild
from projections.runner import LIVE, Projections
from tests.simulation.consuming import TWO_LANES, Consumers, publish
from tests.simulation.names.projector import NAMES
from tests.simulation.relaying import KAFKA
from tests.simulation.scheduler import Process
from tests.simulation.view_statements import Generation
from tests.simulation.world import ORG, STREAMS, Violation, World

READ: Final = (PRODUCT, STOCK)
SOURCE: Final = Source("twin", None)


class Feed:
    """What a relay would do: bring what is committed to Kafka, in order per key, repeating itself now and then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent: dict[str, int] = dict.fromkeys(STREAMS, 0)

    def some(self, most: int) -> None:
        world = self._world
        for stream in STREAMS:
            rows: Sequence[Pending] = world.committed[stream]
            sent = self._sent[stream]
            again = max(sent - world.random.randrange(3), 0) if world.chance(0.2) else sent
            upto = min(sent + most, len(rows))
            if upto > sent:
                for row in rows[again:upto]:
                    publish(world, row)
                self._sent[stream] = upto


class Rebuilds:
    def __init__(self, world: World) -> None:
        self.world = world
        self.count = 0
        self.done = 0

    def start(self) -> Process:
        self.count += 1
        return self.world.start(f"rebuild-{self.count}", self._run)

    async def _run(self) -> None:
        """As an operator does who begins again when it has failed: for want of a database or of Kafka, or because
        another began while this one had lost the connection that kept others away.
        """
        while True:
            try:
                rebuilt = await rebuild(NAMES, SOURCE, self.world.database.pool(), KAFKA, read_topics=READ)
            except (psycopg.Error, KafkaError, OSError, OffsetsMoved, TakenOver):
                await asyncio.sleep(0.05)
            except RebuildRunning:
                return
            else:
                assert not rebuilt.differences
                self.done += 1
                return

    def living(self) -> list[Process]:
        return [process for process in self.world.living() if process.name.startswith("rebuild")]


class KeptViews(Projections):
    """The live views; fails now and then as any effect may."""

    def __init__(self, world: World) -> None:
        super().__init__([NAMES], read_topics=READ)
        self._world = world

    async def apply(self, connection: Any, events: Sequence[RecordedEvent]) -> None:
        await super().apply(connection, events)


def append(world: World) -> None:
    stream = world.random.choice(STREAMS)
    if stream in world.open and world.chance(0.5):
        world.end_append(stream, rolled_back=world.chance(0.1))
    else:
        world.append(stream)
        if world.chance(0.7):
            world.end_append(stream)


def is_live(world: World) -> None:
    """As after a first rebuild of nothing."""
    tables = world.database.tables
    tables["projection_generations"]["names", 1] = Generation(1, "live", 0)
    tables["view_tables"]["projections.names_1"] = "indexed"
    tables["views"]["projections.names"] = "projections.names_1"
    for partition in world.broker.logs:
        if partition.topic in READ:
            tables["consumer_offsets"][LIVE, *partition] = 0


def check(world: World) -> None:
    tables = world.database.tables
    ((number, _),) = [
        (number, one) for (_, number), one in tables["projection_generations"].items() if one.state == "live"
    ]
    shown = tables["views"]["projections.names"]
    if shown != f"projections.names_{number}":
        raise Violation(f"generation {number} is live and readers see {shown}")
    rows = {key: row for (table, _, key), row in tables["view_rows"].items() if table == shown}
    wanted = {stream: list(range(1, len(events) + 1)) for stream, events in world.committed.items() if events}
    found = {stream: row["folded"] for stream, row in rows.items()}
    if found != wanted:
        raise Violation(f"the view holds {found}, the events say {wanted}")
    for stream, row in rows.items():
        last = world.committed[stream][-1]
        if (row["org_id"], row["version"], row["position"], row["name"]) != (
            ORG,
            last.version,
            last.position,
            f"name {last.version}",
        ):
            raise Violation(f"the view holds {row} where the last event is {last}")


async def in_lanes(world: World) -> None:
    """The same while the live runner has two transactions at a time."""
    await schedule(world, TWO_LANES)


async def schedule(world: World, lanes: Lanes = ONE_LANE) -> None:
    if world.chance(0.7):
        is_live(world)
    feed, rebuilds = Feed(world), Rebuilds(world)
    members = Consumers(world, KeptViews(world), lanes)
    for _ in range(world.random.choice((1, 1, 2))):
        members.start()
    for _ in range(world.random.randrange(3)):
        append(world)
    rebuilds.start()
    for _ in range(world.random.randrange(6, 20)):
        match world.random.randrange(9):
            case 0:
                members.disturb()
            case 1 if rebuilds.living() and world.chance(0.5):
                world.kill(world.random.choice(rebuilds.living()))
                rebuilds.start()
            case 2 if rebuilds.count < 4:
                rebuilds.start()
            case 3 | 4 | 5:
                feed.some(world.random.randrange(1, 4))
            case _:
                append(world)
        await world.moment()
    world.heal()
    feed.some(1_000)
    await world.until(lambda: not rebuilds.living() and not world.database.advisory, "rebuilds that end")
    before = rebuilds.done
    rebuilds.start()
    await world.until(lambda: rebuilds.done > before, "a rebuild that takes up what others have left")
    await members.drain()
    world.still_well()
    check(world)
    left = [one for one in world.database.tables["consumer_offsets"] if one[0] != LIVE]
    if left:
        raise Violation(f"a rebuild has left its offsets: {left}")
