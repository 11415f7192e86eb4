"""From an event's commit to its record at a consumer, under a steady load, beside Debezium and Kafka alone."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from statistics import median
from typing import Any, Final, NamedTuple
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PRODUCT, create_or_check
from infrastructure.outbox.reader import Outbox, Pending
from infrastructure.postgres.pool import WORKER, Pool
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from tests.benchmarks import part
from tests.benchmarks.figures import LOWER, OURS, Comparison, Part, percentile
from tests.benchmarks.latency_load import DATA, WRITERS, Way, Written, consume, log_ends, on_schedule, write
from tests.benchmarks.part import Size, servers
from tests.benchmarks.peers import debezium, debezium_jars, debezium_rows
from tests.benchmarks.processors import in_use
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import scratch_database

ABOUT: Final = """
Events of about 300 bytes are stored one at a time by eight connections of another process, by a schedule; a bare
consumer in a third process notes when it gets each record. `due to consumed` counts from when an event was due, so that
a stall counts for all that had to wait; `stored to consumed` from when the insert returned; `stored to acknowledged`
ends when the relay knows that Kafka has the record. The control sends the same payloads by the same schedule with bare
`send()`: for it, stored means handed over. Debezium (its outbox event router on Kafka Connect, a Java process with 768
MB, no linger, polls every 5 ms, warm) gets one row in its own table, ours an event and an outbox row. `Debezium beside
an event store` has its writers store the event too, in the same statement, so that only the relays differ. PostgreSQL
has wal_level=logical for all contenders; there is a slot only in Debezium's own turns, and its process sleeps in those
of others.
"""
BARE_SEND: Final = "bare send()"
IN_USE: Final = "percent of the processors' time in use"
LATE: Final = 0.25
"""Seconds behind at the end of a turn: more than a stall that passes."""
PATIENCE: Final = 60.0
"""Seconds for the last record to come, once all are written."""
EVENT: Final = """
with made as (
    insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id)
    values ('toko-batik', 'product-' || %(key)s, 1, %(key)s, %(id)s, 'product.described', 1, %(data)s, now(),
        'user:rina', gen_random_uuid())
    returning position
)
"""
OURS_STORED: Final = Way(f"{EVENT} insert into outbox (position, shard) select position, %(shard)s from made", WORKER)
ROUTED: Final = Way(debezium_rows.STORE, None)
STORED_AND_ROUTED: Final = Way(EVENT + debezium_rows.STORE, None)
BESIDE_EVENTS: Final = "Debezium beside an event store"


class Plan(NamedTuple):
    rates: tuple[int, ...]
    rounds: int
    warm_up: float
    """Seconds of each turn that do not count."""
    seconds: float
    debezium_warm_up: float


PLANS: Final = {
    Size.SMALL: Plan((200, 2_000), 1, 0.5, 1.0, 0.5),
    Size.FULL: Plan((200, 2_000, 5_000), 3, 1.5, 5.0, 10.0),
}


class Turn(NamedTuple):
    """What one contender did; times of the monotonic clock that all processes share, by key."""

    written: list[Written]
    consumed: Mapping[bytes, float]
    in_use: float
    """Percent of the processors' time while events were stored."""
    acknowledged: Mapping[bytes, float] = {}
    """Empty where nobody can tell."""

    @property
    def late(self) -> float:
        """By how many seconds the last event was stored after it was due."""
        last = max(self.written, key=lambda one: one.due)
        return last.stored - last.due

    def latencies(self, warm_up: float) -> dict[str, list[float]]:
        """In milliseconds."""
        first = min(one.due for one in self.written) + warm_up
        counted = [one for one in self.written if one.due >= first]
        found = {
            "due to consumed": [self.consumed[one.key] - one.due for one in counted],
            "stored to consumed": [self.consumed[one.key] - one.stored for one in counted],
        }
        if self.acknowledged:
            found["stored to acknowledged"] = [self.acknowledged[one.key] - one.stored for one in counted]
        return {name: [1000 * one for one in seconds] for name, seconds in found.items()}


class Ground(NamedTuple):
    url: str
    pool: Pool
    kafka: KafkaSettings
    connect: debezium.Connect | None
    """Kafka Connect, where Debezium can be had."""
    writer: ProcessPoolExecutor
    consumer: ProcessPoolExecutor

    async def load(self, way: Way, per_second: int, seconds: float) -> Turn:
        async with self.consuming(per_second, seconds) as consumed:
            loop, before = asyncio.get_running_loop(), in_use()
            written = await loop.run_in_executor(self.writer, write, self.url, way, per_second, seconds)
            busy = in_use().percent_since(before)
            return Turn(written, await consumed, busy)

    @asynccontextmanager
    async def consuming(self, per_second: int, seconds: float) -> AsyncIterator[asyncio.Future[dict[bytes, float]]]:
        """When each record comes that is written after the start of this block."""
        begins = await log_ends(self.kafka)
        expected = WRITERS * int(seconds * per_second / WRITERS)
        loop = asyncio.get_running_loop()
        yield loop.run_in_executor(
            self.consumer, consume, self.kafka, begins, expected, time.perf_counter() + seconds + PATIENCE
        )


async def measure(size: Size, progress: Progress) -> Part:
    """At 200, 2,000 and 5,000 events per second."""
    plan = PLANS[size]
    found = Part(name="latency", title="Relay latency", about=ABOUT)
    found.notes += filter(None, [debezium_jars.why_missing()])
    late: dict[str, list[float]] = {}
    full: dict[str, list[float]] = {}
    progress.steps = len(plan.rates) * plan.rounds + 1
    async with ground() as at:
        progress.step("warm-up")
        for turn in contenders(at).values():
            await turn(200, 0.5)
        if at.connect is not None:
            await debezium_turn(at, ROUTED, 2_000, plan.debezium_warm_up)
        for per_second in plan.rates:
            comparisons: dict[str, Comparison] = {}
            for number in range(plan.rounds):
                progress.step(f"{per_second:,}/s, round {number + 1} of {plan.rounds}")
                for name, turn in contenders(at).items():
                    took = await turn(per_second, plan.warm_up + plan.seconds)
                    full.setdefault(f"{name} at {per_second:,}/s", []).append(took.in_use)
                    add(comparisons, name, per_second, took.latencies(plan.warm_up))
                    if took.late > LATE:
                        late.setdefault(f"{name} at {per_second:,}/s", []).append(took.late)
            found.comparisons += comparisons.values()
        found.notes += at.connect.notes if at.connect is not None else []
    found.facts |= {f"{IN_USE}, {who}": round(median(shares)) for who, shares in full.items()}
    found.notes += [
        f"the writers did not keep up for {who} (in {len(seconds)} rounds, up to {max(seconds):.1f} s behind): there, "
        "`due to consumed` is mostly their delay, and `stored to consumed` says more about the relay"
        for who, seconds in late.items()
    ]
    return found


def add(comparisons: dict[str, Comparison], name: str, per_second: int, latencies: Mapping[str, list[float]]) -> None:
    for what, values in latencies.items():
        for shown, place in (("p50", 0.5), ("p99", 0.99)):
            title = f"{what}, {shown}, {per_second:,}/s"
            empty = Comparison(title=title, unit="ms", control=BARE_SEND, better=LOWER)
            comparisons.setdefault(title, empty).add(name, percentile(values, place))


def contenders(at: Ground) -> dict[str, Callable[[int, float], Awaitable[Turn]]]:
    turns: dict[str, Callable[[int, float], Awaitable[Turn]]] = {
        OURS: partial(our_turn, at),
        BARE_SEND: partial(bare_turn, at),
    }
    if at.connect is not None:
        turns[debezium.NAME] = partial(debezium_turn, at, ROUTED)
        turns[BESIDE_EVENTS] = partial(debezium_turn, at, STORED_AND_ROUTED)
    return turns


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    spawn = multiprocessing.get_context("spawn")
    with (
        servers() as address,
        ProcessPoolExecutor(1, spawn) as writer,
        ProcessPoolExecutor(1, spawn) as consumer,
    ):
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with scratch_database(address.database_url) as (url, pool), AsyncExitStack() as stack:
            connect = None
            if debezium_jars.why_missing() is None:
                connect = await stack.enter_async_context(debezium.kafka_connect(kafka))
            yield Ground(url, pool, kafka, connect, writer, consumer)


async def our_turn(at: Ground, per_second: int, seconds: float) -> Turn:
    acknowledged, stop = dict[bytes, float](), asyncio.Event()
    restore = watch_acknowledgements(acknowledged)
    metrics = RelayMetrics(CollectorRegistry())
    relaying = asyncio.create_task(run_relay(at.pool, at.kafka, stop, owner=f"bench-{uuid4().hex}", metrics=metrics))
    try:
        took = await at.load(OURS_STORED, per_second, seconds)
    finally:
        stop.set()
        await relaying  # it ends with what it has sent acknowledged
        restore()
    return took._replace(acknowledged=acknowledged)


async def debezium_turn(at: Ground, way: Way, per_second: int, seconds: float) -> Turn:
    assert at.connect is not None
    async with debezium.routing(at.connect, at.url):
        return await at.load(way, per_second, seconds)


async def bare_turn(at: Ground, per_second: int, seconds: float) -> Turn:
    producer = AIOKafkaProducer(**at.kafka.client_options(), enable_idempotence=True)
    await producer.start()
    written, acknowledged, sending = list[Written](), dict[bytes, float](), list[asyncio.Future[Any]]()

    async def send(due: float) -> None:
        key = uuid4().hex.encode()
        handed_over = time.perf_counter()
        sent = await producer.send(PRODUCT, DATA.encode(), key)
        sent.add_done_callback(lambda _: acknowledged.setdefault(key, time.perf_counter()))
        written.append(Written(key, due, handed_over))
        sending.append(sent)

    try:
        async with at.consuming(per_second, seconds) as consumed:
            each, before = int(seconds * per_second / WRITERS), in_use()
            await on_schedule(send, 1 / per_second, each * WRITERS)
            await asyncio.gather(*sending)
            busy = in_use().percent_since(before)
            return Turn(written, await consumed, busy, acknowledged)
    finally:
        await producer.stop()


def watch_acknowledgements(acknowledged: dict[bytes, float]) -> Callable[[], None]:
    """Take the time when the relay begins to delete what was acknowledged; answers how to stop that."""
    delete = Outbox.delete

    async def timed(self: Outbox, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        now = time.perf_counter()
        acknowledged.update((row.partition_key, now) for row in rows)
        return await delete(self, rows, terms)

    Outbox.delete = timed  # type: ignore[method-assign]  # the benchmark's own eye

    def restore() -> None:
        Outbox.delete = delete  # type: ignore[method-assign]  # as above

    return restore


if __name__ == "__main__":
    part.run("relay_latency", measure)
