"""Events per second that one live runner applies to all views."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg import AsyncConnection
from psycopg.rows import dict_row

from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents, topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.effect import Effect
from infrastructure.postgres.pool import Pool
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.ground import ground, load_products
from tests.benchmarks.part import Size
from tests.benchmarks.progress import Progress

ABOUT: Final = f"""
Ten events to a product, in Kafka before the clock starts, read by one consumer process and folded into all
{len(VIEWS)} views, with the offsets in the same transactions. The control is the same consumer with nothing to do: it
reads the records, decodes their headers and moves its offsets in PostgreSQL.
"""
NOTHING: Final = "the consumer alone"


class Plan(NamedTuple):
    products: int
    rounds: int


PLANS: Final = {Size.SMALL: Plan(500, 1), Size.FULL: Plan(10_000, 3)}


class Idle:
    """Applies nothing."""

    name = "idle"
    topics = topics.TOPICS

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:
        """The offsets are all that moves."""


async def measure(size: Size, progress: Progress) -> Part:
    """Live views."""
    plan = PLANS[size]
    found = Part(name="live", title="Live views", about=ABOUT)
    speed = Comparison(title="all views", unit="events/s", control=NOTHING)
    for number in range(plan.rounds):
        progress.step(f"round {number + 1} of {plan.rounds}")
        async with ground() as (source, pool, kafka):
            await build_missing(VIEWS, source, pool, kafka)
            events = await asyncio.to_thread(load_products, source.url, plan.products)
            await _publish(source.url, kafka)
            for contender, effect in ((NOTHING, Idle()), (OURS, Projections(VIEWS))):
                speed.add(contender, events / await _read_by(effect, events, pool, kafka))
    found.comparisons.append(speed)
    found.facts = {"events a round": events, "views": len(VIEWS)}
    return found


async def _publish(url: str, kafka: KafkaSettings) -> None:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        rows = connection.execute(
            "select position, org_id, stream_id, version, partition_key, event_id, type, schema, "
            "convert_to(data::text, 'UTF8') as data, occurred_at, recorded_at, actor, correlation_id "
            "from events order by position"
        ).fetchall()
    async with AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True, linger_ms=5) as producer:
        for row in rows:
            event = RecordedEvent(**row)
            headers = cloudevents.headers_of(event)
            await producer.send(topics.PRODUCT, event.data, event.partition_key.encode(), headers=headers)
        await producer.flush()


async def _read_by(effect: Effect, events: int, pool: Pool, kafka: KafkaSettings) -> float:
    """Seconds from its first record to its last."""
    stop = asyncio.Event()
    running = asyncio.create_task(Consumer(effect, pool, kafka).run(stop))
    async with asyncio.timeout(300):
        while await _applied(effect.name, pool) == 0:
            await asyncio.sleep(0.002)
        began, before = time.monotonic(), await _applied(effect.name, pool)
        while await _applied(effect.name, pool) < events:
            await asyncio.sleep(0.01)
    seconds = (time.monotonic() - began) * events / (events - before)
    stop.set()
    await running
    return seconds


async def _applied(consumer: str, pool: Pool) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select coalesce(sum(next_offset), 0)::bigint from consumer_offsets where consumer = %s", (consumer,)
        )
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    part.run("projection_live", measure)
