"""Where relays run: a database, the topics, and a look at what has arrived in them since the test began."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct
from prometheus_client import CollectorRegistry

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import TOPICS, create_or_check
from infrastructure.outbox.leases import Leases
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from tests.support.backlog import Fact, store

DEADLINE: Final = 60.0
LEASE_SECONDS: Final = 2.0


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


class Record(Struct, frozen=True):
    topic: str
    partition: int
    key: str
    value: bytes
    headers: dict[str, bytes]
    headers_count: int

    @property
    def event_id(self) -> bytes:
        return self.headers["ce_id"]

    @property
    def stream_id(self) -> str:
        return self.headers["ce_subject"].decode()

    @property
    def version(self) -> int:
        return int(self.headers["ce_sequence"])


class Ground:
    def __init__(self, url: str, pool: Pool, kafka: KafkaSettings, consumer: Any) -> None:
        self.url = url
        self.pool = pool
        self.kafka = kafka
        self.org = f"toko-{uuid.uuid4().hex[:12]}"
        self._consumer = consumer
        self.records: list[Record] = []
        """What has arrived of this test's organisation, per partition in order of arrival."""

    async def store(self, facts: Iterable[Fact]) -> list[int]:
        async with self.pool.connection() as connection:
            return await store(connection, facts, org=self.org)

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()

    async def depth(self) -> int:
        ((count,),) = await self.rows("select count(*) from outbox")
        return int(count)

    async def emptied(self, seconds: float = DEADLINE) -> None:
        async def empty() -> bool:
            return await self.depth() == 0

        await until(empty, seconds)

    async def shares(self) -> dict[str, int]:
        return {owner: shards for owner, shards, _ in await Leases(self.pool, "").owners()}

    async def arrived(self) -> list[Record]:
        """All that is in the topics now."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while any([await self._consumer.position(partition) < end for partition, end in ends.items()]):
            fetched = await self._consumer.getmany(timeout_ms=200)
            for batch in fetched.values():
                self.records += [_record(one) for one in batch if ("ce_org", self.org.encode()) in one.headers]
        return self.records

    async def until_arrived(self, count: int) -> None:
        """At least so many records are in the topics."""

        async def there() -> bool:
            return len(await self.arrived()) >= count

        await until(there)


def _record(one: Any) -> Record:
    return Record(one.topic, one.partition, one.key.decode(), one.value, dict(one.headers), len(one.headers))


def versions_by_stream(records: Iterable[Record]) -> dict[str, list[int]]:
    """In order of arrival, each event the first time it came."""
    seen: set[bytes] = set()
    found: dict[str, list[int]] = defaultdict(list)
    for record in records:
        if record.event_id not in seen:
            seen.add(record.event_id)
            found[record.stream_id].append(record.version)
    return dict(found)


def repeated(records: list[Record]) -> int:
    return len(records) - len({record.event_id for record in records})


def complete(facts: Iterable[Fact]) -> dict[str, list[int]]:
    """What `versions_by_stream` must be when all these have arrived in order."""
    wanted: dict[str, list[int]] = defaultdict(list)
    for fact in facts:
        wanted[fact.stream_id].append(fact.version)
    return dict(wanted)


@asynccontextmanager
async def open_ground(url: str, bootstrap: str) -> AsyncIterator[Ground]:
    kafka = KafkaSettings(bootstrap=bootstrap)
    await create_or_check(kafka)
    consumer = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False)
    await consumer.start()
    try:
        async with open_pool(url, role=WORKER, name="tests-ground", max_size=4) as pool:
            partitions = [
                TopicPartition(topic, number) for topic in TOPICS for number in await _partitions(consumer, topic)
            ]
            consumer.assign(partitions)
            await consumer.seek_to_end(*partitions)
            yield Ground(url, pool, kafka, consumer)
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, topic: str) -> set[int]:
    while not (found := consumer.partitions_for_topic(topic)):
        await consumer._client.force_metadata_update()  # topics made a moment ago
    return set(found)


class Running(Struct):
    owner: str
    stop: asyncio.Event
    task: asyncio.Task[None]
    metrics: RelayMetrics

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(DEADLINE):
            await self.task


@asynccontextmanager
async def relaying(
    ground: Ground, number: int = 1, *, lease_seconds: float = LEASE_SECONDS
) -> AsyncIterator[list[Running]]:
    """So many relays in this process, each with connections of its own."""
    relays = [_start(ground, f"relay-{one}", lease_seconds) for one in range(number)]
    try:
        yield relays
    finally:
        for relay in relays:
            await relay.end()


def _start(ground: Ground, owner: str, lease_seconds: float) -> Running:
    stop, metrics = asyncio.Event(), RelayMetrics(CollectorRegistry())

    async def run() -> None:
        async with open_pool(ground.url, role=WORKER, name=owner, max_size=4) as pool:
            await run_relay(pool, ground.kafka, stop, owner=owner, metrics=metrics, lease_seconds=lease_seconds)

    return Running(owner, stop, asyncio.create_task(run(), name=owner), metrics)
