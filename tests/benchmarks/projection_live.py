"""Events per second that one live runner takes from Kafka and applies to all views."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer

from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents, topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.records import event_of
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import Pool
from projections.reading import freshness_now
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.ground import ground, load_products, recorded
from tests.benchmarks.part import Size
from tests.benchmarks.progress import Progress
from tests.support.installation import until

ABOUT: Final = """
Ten events a product are in Kafka when one live runner starts; the time runs from there, so that joining the consumer
group counts, until its offsets, which it commits together with the rows of all views, are at the end. The control reads
the same records from Kafka with the same client and makes events of them, and does nothing with them. Each round has a
new stack, whose PostgreSQL does not wait for the disk.
"""
READING: Final = "reading the records alone"
PATIENCE: Final = 300.0


class Plan(NamedTuple):
    products: int
    rounds: int


PLANS: Final = {Size.SMALL: Plan(300, 1), Size.FULL: Plan(5_000, 3)}


async def measure(size: Size, progress: Progress) -> Part:
    """A backlog of events into all views."""
    plan = PLANS[size]
    found = Part(name="live", title="Live projection", about=ABOUT)
    comparison = Comparison(
        title=f"{plan.products * 10:,} events, {len(VIEWS)} views", unit="events/s", control=READING
    )
    found.comparisons = [comparison]
    progress.steps = plan.rounds
    for number in range(plan.rounds):
        progress.step(f"round {number + 1} of {plan.rounds}")
        async with ground() as (source, pool, kafka):
            await build_missing(VIEWS, source, pool, kafka)
            await asyncio.to_thread(load_products, source.url, plan.products)
            facts = recorded(source.url)
            await send(facts, kafka)
            comparison.add(READING, len(facts) / await read(len(facts), kafka))
            comparison.add(OURS, len(facts) / await project(len(facts), pool, kafka))
            assert (await freshness_now(pool)).lag == 0
    return found


async def send(facts: Sequence[RecordedEvent], kafka: KafkaSettings) -> None:
    async with AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True, linger_ms=5) as producer:
        for fact in facts:
            headers = cloudevents.headers_of(fact)
            await producer.send(topics.PRODUCT, fact.data, fact.partition_key.encode(), headers=headers)
        await producer.flush()


async def read(events: int, kafka: KafkaSettings) -> float:
    """Seconds."""
    async with Replay(kafka, [topics.PRODUCT]) as replay:
        ends = await replay.ends()
        began, count = time.perf_counter(), 0
        async for batch in replay.records(dict.fromkeys(ends, 0), ends):
            count += sum(isinstance(event_of(record), RecordedEvent) for record in batch)
        took = time.perf_counter() - began
    assert count == events
    return took


async def project(events: int, pool: Pool, kafka: KafkaSettings) -> float:
    """Seconds."""

    async def done() -> bool:
        return await applied(pool) >= events

    stop = asyncio.Event()
    began = time.perf_counter()
    running = asyncio.create_task(Consumer(Projections(VIEWS), pool, kafka).run(stop))
    try:
        await until(done, PATIENCE)
        return time.perf_counter() - began
    finally:
        stop.set()
        await running


async def applied(pool: Pool) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute("select coalesce(sum(next_offset), 0)::bigint from consumer_offsets")
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    part.run("live", measure)
