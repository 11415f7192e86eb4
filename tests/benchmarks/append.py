"""Appends per second and their latency, ours against one bare SQL append per caller, in alternating runs.

Both store the same rows: an idempotency key, a version-checked stream, one event, one outbox row. A bare caller has a
connection of its own and calls one function that does nothing else, without row-level security.

python -m tests.benchmarks.append [--url URL] [--seconds 5] [--callers 1 8 32 128]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
import uvloop
from psycopg import AsyncConnection

from domain.messages import Append, Appended, Idempotency, NewEvent
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.local_stack.stack import LocalStack, Part
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.postgres.statements import load
from tests.plugins.postgres import fresh_database

ORG = "toko"
STREAMS_PER_CALLER = 20
DATA = b'{"old":189000,"new":199000,"reason":"Harga naik sejak kain datang dari Solo"}'
FINGERPRINT, RESPONSE = b"f" * 32, b'{"product_id":"0190c1f2-7a63-7d0e-9a5e-3f6f3c1f8f10","version":7}'
BARE = load(Path(__file__).with_name("append.sql"))

Send = Callable[[Append], Awaitable[object]]
Sends = Sequence[Send]
_new = TimeSortedIdentities().new


def commands(caller: str) -> Iterator[Append]:
    """Without end: one event after the other for each of the caller's streams."""
    streams = [str(_new()) for _ in range(STREAMS_PER_CALLER)]
    for number in itertools.count():
        version, turn = divmod(number, STREAMS_PER_CALLER)
        event = NewEvent(
            event_id=_new(),
            type="product.base-price-changed",
            schema=1,
            data=DATA,
            occurred_at=datetime.now(UTC),
            actor="user:rina",
            correlation_id=_new(),
        )
        yield Append(
            stream_id=f"product-{streams[turn]}",
            partition_key=streams[turn],
            expected_version=version,
            events=(event,),
            idempotency=Idempotency(key=f"{caller}-{number}", fingerprint=FINGERPRINT, response=RESPONSE),
        )


async def measure(sends: Sends, seconds: float) -> dict[str, float]:
    """One caller for each way to send; each sends its next command when the last is answered."""
    latencies: list[float] = []

    async def call(send: Send) -> None:
        for append in commands(str(_new())):
            began = time.perf_counter()
            await send(append)
            ended = time.perf_counter()
            latencies.append(ended - began)
            if ended > end:
                return

    started = time.perf_counter()
    end = started + seconds
    async with asyncio.TaskGroup() as group:
        for send in sends:
            group.create_task(call(send))
    latencies.sort()
    return {
        "per_second": len(latencies) / (time.perf_counter() - started),
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


@asynccontextmanager
async def ours(url: str, callers: int) -> AsyncIterator[Sends]:
    async with open_pool(url, role=APP, name="bench", min_size=2) as pool:
        store = PostgresEventStore(pool)

        async def send(append: Append) -> None:
            assert isinstance(await store.append(ORG, append), Appended)

        yield [send] * callers


@asynccontextmanager
async def bare(url: str, callers: int) -> AsyncIterator[Sends]:
    async with AsyncExitStack() as stack:
        yield [
            _bare_send(await stack.enter_async_context(await AsyncConnection.connect(url, autocommit=True)))
            for _ in range(callers)
        ]


def _bare_send(connection: AsyncConnection[Any]) -> Send:
    cursor = connection.cursor(binary=True)

    async def send(append: Append) -> None:
        (event,), key = append.events, append.idempotency
        assert key is not None
        values = {
            "org": ORG,
            "stream": append.stream_id,
            "partition_key": append.partition_key,
            "shard": shard_of(append.partition_key),
            "expected": append.expected_version,
            "key": key.key,
            "fingerprint": key.fingerprint,
            "response": key.response,
            "event": event.event_id,
            "type": event.type,
            "schema": event.schema,
            "data": event.data.decode(),
            "occurred_at": event.occurred_at,
            "actor": event.actor,
            "correlation": event.correlation_id,
        }
        await cursor.execute(BARE["call_bare_append"], values, prepare=True, binary=True)
        await cursor.fetchone()

    return send


async def compare(url: str, callers: int, seconds: float, rounds: int) -> dict[str, Any]:
    """The median round of each, taken in turns so that a disturbance of the machine meets both."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
    async with ours(url, callers) as our_sends, bare(url, callers) as bare_sends:
        for name, sends in (("ours", our_sends), ("bare", bare_sends)):
            await measure(sends, 0.5)  # prepares the statements, fills the caches
            assert name in found
        for _ in range(rounds):
            found["ours"].append(await measure(our_sends, seconds / rounds))
            found["bare"].append(await measure(bare_sends, seconds / rounds))
    middle = {
        name: {figure: round(median(one[figure] for one in runs), 3) for figure in runs[0]}
        for name, runs in found.items()
    }
    return {
        "callers": callers,
        **middle,
        "throughput_ratio": round(middle["ours"]["per_second"] / middle["bare"]["per_second"], 2),
        "p99_ratio": round(middle["ours"]["p99_ms"] / middle["bare"]["p99_ms"], 2),
    }


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """The server that is named, or one of our own that writes through to the disk."""
    if url is not None:
        yield url
        return
    folder = Path(tempfile.mkdtemp(prefix="syncstore-bench-"))
    stack = LocalStack(folder)
    try:
        yield stack.up((Part.POSTGRES,)).database_url
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


async def run(url: str, callers: Sequence[int], seconds: float, rounds: int) -> list[dict[str, Any]]:
    await migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BARE["create_bare_append"])
    return [await compare(url, count, seconds, rounds) for count in callers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server; a database is made in it and dropped again")
    parser.add_argument("--seconds", type=float, default=5, help="for each of the two ways, per number of callers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 32, 128])
    options = parser.parse_args()
    with server(options.url) as address, fresh_database(address) as url:
        figures = uvloop.run(run(url, options.callers, options.seconds, options.rounds))
    json.dump(figures, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
