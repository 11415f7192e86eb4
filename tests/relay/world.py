"""Events stored as appends store them, and what Kafka holds of them."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.records import Record
from infrastructure.kafka.replay import Replay
from infrastructure.kafka.topics import TOPICS, create_or_check
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.operations import statistics
from infrastructure.outbox.reader import Outbox
from infrastructure.outbox.shards import SHARDS, shard_of
from infrastructure.postgres.pool import Pool
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from relay.publisher import Publisher
from relay.relay import Relay

DEADLINE = 60.0
STORE = """
with made as (
    insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id)
    values (%s, %s, %s, %s, %s, 'product.renamed', 1, %s, now(), 'user:rina', gen_random_uuid())
    returning position
)
insert into outbox (position, shard) select position, %s from made returning position
"""


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.01)


@dataclass
class World:
    pool: Pool
    """As workers."""
    kafka: KafkaSettings
    before: dict[Any, int]
    """Where the topics ended when the world began."""
    org: str = field(default_factory=lambda: f"toko-{uuid.uuid4().hex[:8]}")

    async def store(
        self,
        key: str,
        version: int,
        *,
        connection: AsyncConnection[Any] | None = None,
        size: int = 0,
        category: str = "product",
    ) -> int:
        """An event of the product with that key; answers its position."""
        if connection is None:
            async with self.pool.connection() as own:
                return await self.store(key, version, connection=own, size=size, category=category)
        data = json.dumps({"old": "", "new": "x" * size})
        stored = (self.org, f"{category}-{key}", version, key, uuid.uuid4(), data, shard_of(key))
        row = await (await connection.execute(STORE, stored)).fetchone()
        assert row is not None
        return int(row[0])

    async def records(self) -> list[Record]:
        """This world's records in the topics, by partition, in the order of their offsets."""
        async with Replay(self.kafka, TOPICS) as replay:
            return [
                record
                async for batch in replay.records(self.before, await replay.ends())
                for record in batch
                if dict(record.headers).get("ce_org") == self.org.encode()
            ]

    async def published(self) -> list[RecordedEvent]:
        return [cloudevents.read(record.key, record.value or b"", record.headers) for record in await self.records()]

    async def versions(self) -> dict[str, list[int]]:
        """What Kafka holds of each key, in order."""
        found = defaultdict(list)
        for event in await self.published():
            found[event.partition_key].append(event.version)
        return dict(found)

    async def is_empty(self) -> bool:
        return (await statistics(self.pool)).depth == 0

    @asynccontextmanager
    async def relaying(self, name: str = "relay", **how: Any) -> AsyncIterator[RelayMetrics]:
        metrics, stop = RelayMetrics(CollectorRegistry()), asyncio.Event()
        task = asyncio.create_task(run_relay(self.pool, self.kafka, stop, owner=name, metrics=metrics, **how))
        try:
            yield metrics
        finally:
            stop.set()
            async with asyncio.timeout(DEADLINE):
                await task

    @asynccontextmanager
    async def by_hand(self, **how: Any) -> AsyncIterator[HandRelay]:
        """A relay whose passes the test makes one by one."""
        leases = Leases(self.pool, "by-hand", ttl=600)
        publisher = Publisher(self.kafka)
        await publisher.producer.open()
        relay = Relay(Outbox(self.pool, "by-hand"), publisher, RelayMetrics(CollectorRegistry()), **how)
        try:
            yield HandRelay(relay, publisher, await leases.claim(SHARDS))
        finally:
            await relay.settled()
            await publisher.producer.abandon()


@dataclass
class HandRelay:
    relay: Relay
    publisher: Publisher
    terms: dict[int, int]

    async def one_pass(self) -> int:
        return await self.relay.one_pass(self.terms, patience=DEADLINE)

    async def drain(self) -> int:
        """Until two passes in a row find nothing."""
        total = idle = 0
        while idle < 2:
            done = await self.one_pass()
            total, idle = total + done, 0 if done else idle + 1
        return total


async def begin(pool: Pool, kafka: KafkaSettings) -> World:
    await create_or_check(kafka)
    async with Replay(kafka, TOPICS) as replay:
        return World(pool, kafka, dict(await replay.ends()))


def first_seen(versions: Sequence[int]) -> list[int]:
    """Without repetitions, which consumers skip."""
    return list(dict.fromkeys(versions))
