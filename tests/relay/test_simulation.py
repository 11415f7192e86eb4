"""The relay against a world that does anything at any moment, the same for the same script.

Appends stay open and commit late, Kafka refuses, fails and forgets to acknowledge, operators release, others take over:
each event arrives, and each stream's events come in order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiokafka.errors import KafkaConnectionError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from infrastructure.outbox.in_memory import InMemoryOutbox, OutboxTables
from infrastructure.outbox.reader import Horizon, Pending, Refused
from relay.metrics import RelayMetrics
from relay.publisher import Batches, Published
from relay.relay import Relay

STREAMS: Final = ("product-a", "stock-a", "product-b", "listing-c")
PASSES: Final = 40
FINAL_PASSES: Final = 200
Partition = tuple[str, str]
"""A topic and a key: that several keys share a partition changes nothing here."""


class World:
    """Where events are stored and arrive. A script of bytes decides; when it has ended, all goes well."""

    def __init__(self, script: bytes) -> None:
        self._script: Iterator[int] = iter(script)
        self.tables = OutboxTables()
        self.now = 100.0
        self.log: dict[Partition, list[tuple[str, int]]] = defaultdict(list)
        """What Kafka holds, repetitions included."""
        self.stored: dict[str, int] = dict.fromkeys(STREAMS, 0)
        self.refused: set[tuple[str, int]] = set()
        self._open: dict[str, str] = {}
        """Stream -> its append that has not committed: nobody else can append to it."""
        self.trouble = False

    def choose(self, number: int) -> int:
        """0 is the quiet choice."""
        return next(self._script, 0) % number

    async def moment(self) -> None:
        """Between any two steps of the relay others run, and things happen."""
        await asyncio.sleep(0)
        for _ in range(self.choose(4)):
            match self.choose(6):
                case 0 | 1:
                    self.append(STREAMS[self.choose(len(STREAMS))])
                case 2 | 3:
                    self.commit(self.choose(4))
                case 4:
                    self.release(self.choose(2))
                case 5:
                    self.now += (0.001, 0.03, 11.0)[self.choose(3)]

    def append(self, stream: str) -> None:
        transaction = self._open.get(stream) or self.tables.begin()
        self._open[stream] = transaction
        if self.choose(3) != 1:  # an append may have its lock and not yet a position
            self.stored[stream] += 1
            self.tables.insert(transaction, stream, self.stored[stream])
            if self.choose(8) == 7:
                self.refused.add((stream, self.stored[stream]))

    def commit(self, number: int) -> None:
        if self._open:
            stream = list(self._open)[number % len(self._open)]
            self.tables.commit(self._open.pop(stream))

    def release(self, heal: int) -> None:
        if heal:
            self.refused.clear()
        for key in {row.partition_key for row, _ in self.tables.parked.values()}:
            self.tables.release(key.decode())

    def calm(self) -> None:
        """From now on all goes well."""
        self._script = iter(())
        while self._open:
            self.commit(0)
        self.release(1)


class Outbox(InMemoryOutbox):
    """Takes its time, before and after."""

    def __init__(self, world: World, owner: str) -> None:
        super().__init__(world.tables, owner)
        self._world = world

    async def horizon(self, ttl: float) -> Horizon:
        await self._world.moment()
        found = await super().horizon(ttl)
        await self._world.moment()
        return found

    async def pending(self, **how: Any) -> list[Pending]:
        await self._world.moment()
        found = await super().pending(**how)
        await self._world.moment()
        return found

    async def delete(self, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        await self._world.moment()
        return await super().delete(rows, terms)

    async def park(self, refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
        await self._world.moment()
        return await super().park(refused, terms)


class Broker:
    """Takes each partition's rows in order; on failure some were taken, and fewer acknowledged."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def prepare(self, rows: Sequence[Pending]) -> Batches:
        await self._world.moment()
        return Batches(rows)

    async def publish(self, batches: Batches, *, patience: float) -> Published:
        assert patience > 0
        published = Published(acknowledged=[], refused=[])
        partitions: dict[Partition, list[Pending]] = defaultdict(list)
        for row in batches.rows:
            partitions[row.stream_id.decode().partition("-")[0], row.partition_key.decode()].append(row)
        fails = self._world.choose(5) == 4
        for partition, some in partitions.items():
            await self._world.moment()
            taken = self._world.choose(len(some) + 1) if fails else len(some)
            known = self._world.choose(taken + 1) if fails else taken
            parked = False
            for number, row in enumerate(some[:taken]):
                event = (row.stream_id.decode(), row.version)
                if parked or event in self._world.refused:
                    published.refused.append(Refused(row, None if parked else "not taken"))
                    parked = True
                    continue
                self._world.log[partition].append(event)
                if number < known:
                    published.acknowledged.append(row)
        if fails:
            self._world.trouble = True
            published.failure = KafkaConnectionError()
        return published

    async def abandon(self) -> None:
        await self._world.moment()


class Process:
    """A relay that is replaced now and then by another, which has all its shards under new terms."""

    def __init__(self, world: World, batch: int) -> None:
        self._world, self._batch = world, batch
        self._gone: list[Relay] = []
        self._number = 0
        self._start()

    def _start(self) -> None:
        self._number += 1
        owner = f"relay-{self._number}"
        self._terms = self._world.tables.claim(owner)
        self._relay = Relay(
            Outbox(self._world, owner),
            Broker(self._world),
            RelayMetrics(CollectorRegistry()),
            batch=self._batch,
            monotonic=lambda: self._world.now,
        )

    async def one_pass(self) -> int:
        if self._world.choose(12) == 11:
            self._world.trouble = True
            self._gone.append(self._relay)  # and what it still deletes comes too late
            self._start()
        try:
            return await self._relay.one_pass(self._terms, patience=1e6)
        except KafkaConnectionError:
            return 0

    async def finish(self) -> None:
        for relay in (*self._gone, self._relay):
            await relay.settled()


async def run(script: bytes, batch: int) -> World:
    world = World(script)
    process = Process(world, batch)
    async with asyncio.timeout(60):
        for _ in range(PASSES):
            await world.moment()
            await process.one_pass()
        world.calm()
        for _ in range(FINAL_PASSES):
            if not await process.one_pass() and not world.tables.rows:
                break
            world.now += 1
        await process.finish()
    return world


def first_seen(events: Sequence[tuple[str, int]], stream: str) -> list[int]:
    return list(dict.fromkeys(version for name, version in events if name == stream))


@settings(max_examples=300)
@given(st.binary(min_size=50, max_size=1_500), st.integers(1, 5))
@example(b"", 1)
def test_whatever_happens_each_event_arrives_in_the_order_of_its_stream(script: bytes, batch: int) -> None:
    world = asyncio.run(run(script, batch))

    assert world.tables.rows == {}
    assert world.tables.parked == {}
    for stream, last in world.stored.items():
        category, _, key = stream.partition("-")
        assert first_seen(world.log[category, key], stream) == list(range(1, last + 1))
    if not world.trouble:
        arrived = [event for events in world.log.values() for event in events]
        assert len(arrived) == len(set(arrived)), "without failures nothing comes twice"
