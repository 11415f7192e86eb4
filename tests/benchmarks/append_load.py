"""Ways to append: ours, one bare SQL append per caller, and a peer's. All store the same payloads."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.messages import Append, Appended, Idempotency, NewEvent
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.postgres.statements import load
from tests.benchmarks.figures import percentile
from tests.benchmarks.peers import pyeventsourcing

ORG = "toko"
STREAMS_PER_CALLER = 20
DATA = b'{"old":189000,"new":199000,"reason":"Harga naik sejak kain datang dari Solo"}'
FINGERPRINT, RESPONSE = b"f" * 32, b'{"product_id":"0190c1f2-7a63-7d0e-9a5e-3f6f3c1f8f10","version":7}'
BARE = load(Path(__file__).with_name("append.sql"))

Send = Callable[[Append], Awaitable[object]]
_new = TimeSortedIdentities().new


class Measured(NamedTuple):
    per_second: float
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies: list[float], seconds: float) -> Measured:
        return cls(len(latencies) / seconds, percentile(latencies, 0.5) * 1000, percentile(latencies, 0.99) * 1000)


Measure = Callable[[float], Awaitable[Measured]]
"""Appends for that many seconds."""


def commands(caller: str, streams: int = STREAMS_PER_CALLER) -> Iterator[Append]:
    """Without end: one event after the other for each of the caller's streams."""
    products = [str(_new()) for _ in range(streams)]
    for number in itertools.count():
        version, turn = divmod(number, streams)
        yield Append(
            stream_id=f"product-{products[turn]}",
            partition_key=products[turn],
            expected_version=version,
            events=(event(),),
            idempotency=Idempotency(key=f"{caller}-{number}", fingerprint=FINGERPRINT, response=RESPONSE),
        )


def event() -> NewEvent:
    return NewEvent(
        event_id=_new(),
        type="product.base-price-changed",
        schema=1,
        data=DATA,
        occurred_at=datetime.now(UTC),
        actor="user:rina",
        correlation_id=_new(),
    )


async def closed_loop(sends: Sequence[Send], seconds: float, streams: int = STREAMS_PER_CALLER) -> Measured:
    """One caller for each way to send; each sends its next command when the last is answered."""
    latencies: list[float] = []

    async def call(send: Send) -> None:
        for append in commands(str(_new()), streams):
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
    return Measured.of(latencies, time.perf_counter() - started)


@asynccontextmanager
async def ours(url: str, callers: int, streams: int = STREAMS_PER_CALLER) -> AsyncIterator[Measure]:
    async with open_pool(url, role=APP, name="bench", min_size=2) as pool:
        store = PostgresEventStore(pool)

        async def send(append: Append) -> None:
            assert isinstance(await store.append(ORG, append), Appended)

        yield lambda seconds: closed_loop([send] * callers, seconds, streams)


@asynccontextmanager
async def bare(url: str, callers: int) -> AsyncIterator[Measure]:
    """Each caller has a connection and calls one function that does nothing else, without row-level security."""
    async with AsyncExitStack() as stack:
        sends = [
            _bare_send(await stack.enter_async_context(await AsyncConnection.connect(url, autocommit=True)))
            for _ in range(callers)
        ]
        yield lambda seconds: closed_loop(sends, seconds)


@asynccontextmanager
async def peers(url: str, callers: int, *, db_functions: bool) -> AsyncIterator[Measure]:
    with pyeventsourcing.recorder(url, callers, db_functions=db_functions) as recorder:

        async def measure(seconds: float) -> Measured:
            return Measured.of(*await asyncio.to_thread(pyeventsourcing.append, recorder, callers, seconds, DATA))

        yield measure


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
