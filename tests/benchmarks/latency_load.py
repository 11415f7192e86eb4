"""Events stored at a steady rate by a process of its own, and the moments at which a consumer gets their records."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import AsyncConnection

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PARTITIONS, PRODUCT
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.pool import Pool, open_pool

WRITERS: Final = 8
DATA: Final = json.dumps({"old": {"description": ""}, "new": {"description": "Bahan katun halus, nyaman. " * 9}})


class Way(NamedTuple):
    """How one event is stored, and by whom: a peer's table belongs to the owner of the database."""

    store: str
    role: str | None


class Written(NamedTuple):
    key: bytes
    due: float
    stored: float


def write(url: str, way: Way, per_second: int, seconds: float) -> list[Written]:
    """In a process of its own, as in life."""
    return uvloop.run(write_all(url, way, per_second, seconds))


async def write_all(url: str, way: Way, per_second: int, seconds: float) -> list[Written]:
    each = int(seconds * per_second / WRITERS)
    async with open_pool(url, role=way.role, name="relay-bench-writers", min_size=WRITERS, max_size=WRITERS) as pool:
        await pool.wait()
        parts = await asyncio.gather(*(write_some(pool, way.store, WRITERS / per_second, each) for _ in range(WRITERS)))
    return [one for part in parts for one in part]


async def write_some(pool: Pool, store: str, interval: float, events: int) -> list[Written]:
    written = []
    async with pool.connection() as connection:

        async def store_one(due: float) -> None:
            key = await stored(connection, store)
            written.append(Written(key, due, time.perf_counter()))

        await on_schedule(store_one, interval, events)
    return written


async def stored(connection: AsyncConnection[Any], store: str) -> bytes:
    key = uuid4()
    given = {"key": key.hex, "id": key, "data": DATA, "shard": shard_of(key.hex)}
    await connection.execute(store, given, prepare=True)
    return key.hex.encode()


async def on_schedule(work: Callable[[float], Awaitable[None]], interval: float, times: int) -> None:
    """When the last one took too long, the next begins at once; when it was due stays what it was."""
    began = time.perf_counter()
    for number in range(times):
        due = began + number * interval
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await work(due)


async def log_ends(kafka: KafkaSettings) -> dict[int, int]:
    """By partition of the topic of products."""
    consumer = AIOKafkaConsumer(**kafka.client_options())
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(PRODUCT, number) for number in range(PARTITIONS)])
        return {where.partition: offset for where, offset in ends.items()}
    finally:
        await consumer.stop()


def consume(kafka: KafkaSettings, begins: dict[int, int], expected: int, deadline: float) -> dict[bytes, float]:
    return uvloop.run(consume_all(kafka, begins, expected, deadline))


async def consume_all(
    kafka: KafkaSettings, begins: dict[int, int], expected: int, deadline: float
) -> dict[bytes, float]:
    """By key, when it came. Raises TimeoutError when they are not all there at the deadline."""
    consumer = AIOKafkaConsumer(**kafka.client_options(), enable_auto_commit=False)
    await consumer.start()
    found: dict[bytes, float] = {}
    try:
        consumer.assign([TopicPartition(PRODUCT, number) for number in begins])
        for number, offset in begins.items():
            consumer.seek(TopicPartition(PRODUCT, number), offset)
        while len(found) < expected:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{expected - len(found):,} of {expected:,} records have not come")
            batches = await consumer.getmany(timeout_ms=200)
            now = time.perf_counter()
            for records in batches.values():
                for record in records:
                    found.setdefault(record.key, now)
    finally:
        await consumer.stop()
    return found
