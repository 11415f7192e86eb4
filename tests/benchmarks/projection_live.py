"""Events per second that one live runner applies to all views.

python -m tests.benchmarks.projection_live [--products 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg.rows import dict_row

from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents, topics
from infrastructure.kafka.consumer import Consumer
from infrastructure.postgres.pool import Pool
from projections.reading import freshness_now
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections
from tests.benchmarks.ground import ground, load_products


async def measure(products: int) -> dict[str, float | int]:
    async with ground() as (source, pool, kafka):
        await build_missing(VIEWS, source, pool, kafka)
        events = await asyncio.to_thread(load_products, source.url, products)
        with psycopg.connect(source.url, row_factory=dict_row) as connection:
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
        stop = asyncio.Event()
        began = time.monotonic()
        running = asyncio.create_task(Consumer(Projections(VIEWS), pool, kafka).run(stop))
        async with asyncio.timeout(300):
            while await applied(pool) < events:
                await asyncio.sleep(0.02)
        seconds = time.monotonic() - began
        lag = (await freshness_now(pool)).lag
        stop.set()
        await running
        return {
            "events": events,
            "views": len(VIEWS),
            "seconds": round(seconds, 3),
            "events_per_second": round(events / seconds),
            "lag": lag,
        }


async def applied(pool: Pool) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute("select coalesce(sum(next_offset), 0)::bigint from consumer_offsets")
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=5_000)
    arguments = parser.parse_args()
    json.dump(asyncio.run(measure(arguments.products)), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
