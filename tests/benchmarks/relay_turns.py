"""Turns of the relay's benchmark, each in a process of its own, as in service: no one's objects burden another."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from uuid import uuid4

import psycopg
import uvloop
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from infrastructure.collector import collect_rarely
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.partitions import partition_of
from infrastructure.kafka.topics import PARTITIONS, PRODUCT
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from relay.loop import SHORTEST_NAP
from relay.metrics import RelayMetrics
from relay.publisher import Publisher, headers_of
from relay.relay import Relay
from relay.routing import topic_of
from tests.benchmarks import processors
from tests.benchmarks.peers import faststream_outbox, txoutbox
from tests.benchmarks.peers.records import Record
from tests.benchmarks.processors import Turn
from tests.benchmarks.relay_load import BACKLOG, fill

T = TypeVar("T")
PRODUCER: Final[dict[str, Any]] = {"enable_idempotence": True, "max_batch_size": 512 * 1024}
WARM_UP: Final = 1_000
Send = Callable[[AIOKafkaProducer, Sequence[Record]], Awaitable[None]]


class Ours(NamedTuple):
    """Events per second."""

    waiting: Turn
    inserted_meanwhile: float
    inserting_alone: float


def ours(url: str, kafka: KafkaSettings, events: int) -> Ours:
    """A backlog, as many that are inserted meanwhile, and their inserts with no relay."""

    async def turn() -> Ours:
        async with open_pool(url, role=WORKER, name="relay-bench", max_size=8, by_index=True) as pool:
            fill(url, WARM_UP)
            await drain(pool, kafka, WARM_UP)
            fill(url, events)
            calm(url)
            with processors.measured("the relay") as spent:
                waiting_rows = events / await drain(pool, kafka, events)
            waited = Turn(waiting_rows, sum(spent.values()))
            calm(url)
            inserted_meanwhile = events / await drain(pool, kafka, events, inserted_into=url)
            calm(url)
            began = time.perf_counter()
            await asyncio.to_thread(_insert, url, events)
            return Ours(waited, inserted_meanwhile, events / (time.perf_counter() - began))

    return _run(turn())


def of_client(url: str, kafka: KafkaSettings, send: Send) -> Turn:
    """Of what is in the outbox, which is left as it is: read and made before the clock starts, and sent in this way."""

    async def turn() -> Turn:
        records = await _records(url)
        async with AIOKafkaProducer(**kafka.client_options(), **PRODUCER) as producer:
            await send(producer, records[:WARM_UP])
            calm(url)
            began = time.perf_counter()
            with processors.measured("the producer") as spent:
                await send(producer, records)
                took = time.perf_counter() - began
            return Turn(len(records) / took, sum(spent.values()))

    return _run(turn())


def of_txoutbox(url: str, kafka: KafkaSettings, limit: float) -> float:
    """The same records, from its own table."""

    async def turn() -> float:
        await txoutbox.fill(url, await _records(url))
        calm(url)
        return await txoutbox.drain(url, kafka, PRODUCER, limit)

    return _run(turn())


def of_faststream_outbox(url: str, kafka: KafkaSettings, limit: float, workers: int) -> float:
    """The same records, from its own table."""

    async def turn() -> float:
        await faststream_outbox.fill(url, await _records(url))
        calm(url)
        return await faststream_outbox.drain(url, kafka, PRODUCER, limit, topic=PRODUCT, workers=workers)

    return _run(turn())


def _run(turn: Coroutine[Any, Any, T]) -> T:
    collect_rarely()
    return uvloop.run(turn)


def calm(url: str) -> None:
    """What others have written is on the disk, and what is at hand is not looked through for cycles."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("checkpoint")
    gc.collect()
    gc.freeze()


async def drain(pool: Pool, kafka: KafkaSettings, events: int, *, inserted_into: str | None = None) -> float:
    """Seconds for events that are there, or for as many that are inserted meanwhile, into the database so addressed."""
    owner = f"bench-{uuid4().hex}"
    leases = Leases(pool, owner, ttl=600)
    held = await leases.claim(SHARDS)
    publisher = Publisher(kafka)
    await publisher.producer.open()
    relay = Relay(Outbox(pool, owner), publisher, RelayMetrics(CollectorRegistry()))
    began = time.perf_counter()
    inserting = asyncio.create_task(asyncio.to_thread(_insert, inserted_into, events)) if inserted_into else None
    done = 0
    while done < events:
        passed = await relay.one_pass(held, patience=60)
        done += passed
        if not passed:
            await asyncio.sleep(SHORTEST_NAP)
    await relay.settled()
    took = time.perf_counter() - began
    if inserting:
        await inserting
    await publisher.producer.abandon()
    await leases.release(held)
    return took


def _insert(url: str, events: int) -> None:
    """A thousand events to a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(0, events, 1_000):
            connection.execute(BACKLOG, {"keys": 100, "salt": uuid4().hex})


async def waiting(pool: Pool) -> list[Record]:
    """What is in the outbox, read and made; the database is left as it is."""
    records, low = [], 0
    outbox = Outbox(pool, "nobody")
    while rows := await outbox.pending(low=low, passed={}, shards=range(SHARDS), under_way=(), limit=50_000):
        for row in rows:
            topic = topic_of(row.stream_id)
            assert topic is not None
            records.append(Record(topic, row.partition_key, row.data, headers_of(row)))
        low = rows[-1].position
    return records


async def _records(url: str) -> list[Record]:
    async with open_pool(url, role=WORKER, name="relay-bench", max_size=2) as pool:
        return await waiting(pool)


async def send_batches(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    """What a relay has to do, without its database."""
    builders: dict[tuple[str, int], Any] = {}
    sent = []
    for one in records:
        where = one.topic, partition_of(one.key, PARTITIONS)
        while True:
            builder = builders.get(where)
            if builder is None:
                builder = builders[where] = producer.create_batch()
            if builder.append(timestamp=None, key=one.key, value=one.value, headers=one.headers) is not None:
                break
            sent.append(await producer.send_batch(builders.pop(where), one.topic, partition=where[1]))
    for (topic, partition), builder in builders.items():
        sent.append(await producer.send_batch(builder, topic, partition=partition))
    await asyncio.gather(*sent)


async def send_each(producer: AIOKafkaProducer, records: Sequence[Record]) -> None:
    sent = [await producer.send(one.topic, one.value, one.key, headers=one.headers) for one in records]
    await asyncio.gather(*sent)
