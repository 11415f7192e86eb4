"""From an event's commit to Kafka's acknowledgement, under a steady load, against what Kafka alone takes for the same.

    python -m tests.benchmarks.relay_latency --database-url postgresql://... --kafka 127.0.0.1:9092

Events are due by a schedule and measured from when they were due, so that a stall counts for all that had to wait. The
control sends records by the same schedule with bare `send()` and waits for each acknowledgement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final, NamedTuple
from uuid import uuid4

import uvloop
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PRODUCT, create_or_check
from infrastructure.outbox.reader import Outbox, Pending
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from tests.benchmarks.relay_load import scratch_database

WRITERS: Final = 8
WARM_UP: Final = 2.0
"""Seconds that do not count."""
DATA: Final = json.dumps({"old": {"description": ""}, "new": {"description": "Bahan katun halus, nyaman. " * 9}})
STORE: Final = """
with made as (
    insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id)
    values ('toko-batik', %(stream)s, %(version)s, %(key)s, gen_random_uuid(), 'product.described', 1, %(data)s, now(),
        'user:rina', gen_random_uuid())
    returning position
)
insert into outbox (position, shard) select position, %(shard)s from made returning position
"""


class Written(NamedTuple):
    position: int
    due: float
    committed: float


async def measure(database_url: str, kafka: KafkaSettings, per_second: int, seconds: float) -> dict[str, Any]:
    await create_or_check(kafka)
    async with scratch_database(database_url) as (url, pool):
        acknowledged, stop = dict[int, float](), asyncio.Event()
        restore = watch_acknowledgements(acknowledged)
        relaying = asyncio.create_task(
            run_relay(pool, kafka, stop, owner="bench", metrics=RelayMetrics(CollectorRegistry()))
        )
        try:
            written = await written_elsewhere(url, per_second, WARM_UP + seconds)
            async with asyncio.timeout(60):
                while not all(one.position in acknowledged for one in written):
                    await asyncio.sleep(0.1)
        finally:
            restore()
            stop.set()
            await relaying
    first = min(one.due for one in written) + WARM_UP
    counted = [one for one in written if one.due >= first]
    return {
        "per_second": per_second,
        "commit_to_ack_ms": percentiles([acknowledged[one.position] - one.committed for one in counted]),
        "due_to_ack_ms": percentiles([acknowledged[one.position] - one.due for one in counted]),
        "bare_send_due_to_ack_ms": percentiles(await bare_sends(kafka, per_second, seconds)),
    }


async def written_elsewhere(url: str, per_second: int, seconds: float) -> list[Written]:
    """By another process, as in life. Both read the same monotonic clock."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        return await asyncio.get_running_loop().run_in_executor(elsewhere, write, url, per_second, seconds)


def watch_acknowledgements(acknowledged: dict[int, float]) -> Callable[[], None]:
    """Take the time when the relay begins to delete what was acknowledged; answers how to stop that."""
    delete = Outbox.delete

    async def timed(self: Outbox, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        now = time.perf_counter()
        acknowledged.update((row.position, now) for row in rows)
        return await delete(self, rows, terms)

    Outbox.delete = timed  # type: ignore[method-assign]  # the benchmark's own eye

    def restore() -> None:
        Outbox.delete = delete  # type: ignore[method-assign]  # as above

    return restore


def write(url: str, per_second: int, seconds: float) -> list[Written]:
    return uvloop.run(write_all(url, per_second, seconds))


async def write_all(url: str, per_second: int, seconds: float) -> list[Written]:
    async with open_pool(url, role=WORKER, name="relay-bench-writers", min_size=WRITERS, max_size=WRITERS) as pool:
        await pool.wait()
        parts = await asyncio.gather(*(write_some(pool, WRITERS / per_second, seconds) for _ in range(WRITERS)))
    return [one for part in parts for one in part]


async def write_some(pool: Pool, interval: float, seconds: float) -> list[Written]:
    written = []
    async with pool.connection() as connection:

        async def store(_: int, due: float) -> None:
            written.append(Written(await store_one(connection, uuid4().hex), due, time.perf_counter()))

        await on_schedule(store, interval, seconds)
    return written


async def store_one(connection: AsyncConnection[Any], key: str) -> int:
    given = {"stream": f"product-{key}", "version": 1, "key": key, "data": DATA, "shard": shard_of(key)}
    row = await (await connection.execute(STORE, given, prepare=True)).fetchone()
    assert row is not None
    return int(row[0])


async def on_schedule(work: Callable[[int, float], Awaitable[None]], interval: float, seconds: float) -> None:
    began = time.perf_counter()
    for number in range(int(seconds / interval)):
        due = began + number * interval
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await work(number, due)


async def bare_sends(kafka: KafkaSettings, per_second: int, seconds: float) -> list[float]:
    producer = AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True)
    await producer.start()
    took: list[float] = []
    waiting: list[asyncio.Future[Any]] = []

    async def send(number: int, due: float) -> None:
        sent = await producer.send(PRODUCT, DATA.encode(), uuid4().hex.encode())
        sent.add_done_callback(lambda _: took.append(time.perf_counter() - due))
        waiting.append(sent)

    await on_schedule(send, 1 / per_second, seconds)
    await asyncio.gather(*waiting)
    await producer.stop()
    return took


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    found = {name: round(ordered[int(len(ordered) * place)] * 1000, 2) for name, place in places.items()}
    return {**found, "max": round(ordered[-1] * 1000, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--per-second", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    kafka = KafkaSettings(bootstrap=given.kafka)
    found = uvloop.run(measure(given.database_url, kafka, given.per_second, given.seconds))
    print(json.dumps(found) if given.json else "\n".join(f"{name:<26}{value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
