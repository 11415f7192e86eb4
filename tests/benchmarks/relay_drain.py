"""How fast one relay drains a backlog, against bare `send()` of the same records by the same client.

    python -m tests.benchmarks.relay_drain --database-url postgresql://... --kafka 127.0.0.1:9092

Both are measured in turn, several rounds. Figures say something about this machine only, their ratio more.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import create_or_check
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import Pool
from relay.metrics import RelayMetrics
from relay.publisher import Publisher, headers_of
from relay.relay import Relay
from relay.routing import topic_of
from tests.benchmarks.relay_load import fill, scratch_database


async def measure(database_url: str, kafka: KafkaSettings, events: int, rounds: int) -> dict[str, float]:
    await create_or_check(kafka)
    relayed, sent = [], []
    async with scratch_database(database_url) as (url, pool):
        for _ in range(rounds):
            fill(url, events)
            sent.append(events / await send_each(pool, kafka))
            relayed.append(events / await drain(pool, kafka, events))
    return {
        "events": events,
        "relay_per_second": round(statistics.median(relayed)),
        "relay_best": round(max(relayed)),
        "bare_send_per_second": round(statistics.median(sent)),
        "bare_send_best": round(max(sent)),
        "ratio": round(statistics.median(relayed) / statistics.median(sent), 2),
    }


async def drain(pool: Pool, kafka: KafkaSettings, events: int) -> float:
    owner = f"bench-{uuid4().hex}"
    leases = Leases(pool, owner, ttl=600)
    held = await leases.claim(SHARDS)
    publisher = Publisher(kafka)
    await publisher.producer.open()
    relay = Relay(Outbox(pool, owner), publisher, RelayMetrics(CollectorRegistry()))
    began = time.perf_counter()
    done = 0
    while done < events:
        done += await relay.one_pass(held, patience=60)
    await relay.settled()
    took = time.perf_counter() - began
    await publisher.producer.abandon()
    await leases.release(held)
    return took


async def send_each(pool: Pool, kafka: KafkaSettings) -> float:
    """The records read and made before the clock starts; the database is left as it is."""
    rows, low = [], 0
    outbox = Outbox(pool, "nobody")
    while part := await outbox.pending(low=low, shards=range(SHARDS), under_way=(), limit=50_000):
        rows += part
        low = part[-1].position
    records = [(topic_of(row.stream_id), row.data, row.partition_key, headers_of(row)) for row in rows]
    producer = AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True, max_batch_size=512 * 1024)
    await producer.start()
    gc.collect()
    gc.freeze()  # hundreds of thousands of records at hand are the benchmark's burden, not the client's
    began = time.perf_counter()
    waiting = [await producer.send(topic, value, key, headers=headers) for topic, value, key, headers in records]
    await asyncio.gather(*waiting)
    took = time.perf_counter() - began
    gc.unfreeze()
    await producer.stop()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = uvloop.run(measure(given.database_url, KafkaSettings(bootstrap=given.kafka), given.events, given.rounds))
    print(json.dumps(found) if given.json else "\n".join(f"{name:<22}{value:>12,}" for name, value in found.items()))


if __name__ == "__main__":
    main()
