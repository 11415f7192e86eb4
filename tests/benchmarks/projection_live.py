"""Events per second that one live runner takes from Kafka and applies to all views."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import uvloop
from aiokafka import AIOKafkaProducer
from psycopg import AsyncConnection

from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents, topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.offsets import Partition, load_offsets
from infrastructure.kafka.records import event_of
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from projections.checkpoints import generation_for, live_generations
from projections.reading import freshness_now
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import LIVE, live_runner
from projections.tables import table_of
from tests.benchmarks import part, processors
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.ground import ground, last_position, load_products, recorded
from tests.benchmarks.part import Size, alone
from tests.benchmarks.progress import Progress
from tests.support.installation import until

ABOUT: Final = """
The views already hold products, ten events each, when new products come: ten events each again, one after the other of
each, so that of a batch hardly more than two events share a row. All of them are in Kafka when one live runner starts,
in a process of its own; the time runs from when it joins the consumer group until its offsets, which it commits with
the rows of all views, are at the end. The control reads the same records from Kafka with the same client and makes
events of them, and does nothing with them. The second one has the rows that these events became taken out of the views'
tables again, and stored by COPY over one connection in one transaction: no fold, no offsets, nothing updated, the same
indexes. Processor time is of the runner, PostgreSQL and Kafka while it runs: what an event takes of all three, divided
by the processors there are, is the least time it can take here. PostgreSQL does not wait for the disk.
"""
READING: Final = "reading the records alone"
STORING: Final = "COPY of the rows alone"
PATIENCE: Final = 600.0


class Run(NamedTuple):
    seconds: float
    peak_megabytes: int
    processor_seconds: Mapping[str, float]


class Plan(NamedTuple):
    there: int
    """Products in the views before."""
    products: int
    rounds: int


PLANS: Final = {
    Size.SMALL: (Plan(300, 300, 1),),
    Size.FULL: (Plan(100_000, 10_000, 3),),
    Size.LARGE: (Plan(100_000, 100_000, 1), Plan(1_000_000, 10_000, 3)),
}


async def measure(size: Size, progress: Progress) -> Part:
    """A backlog of events into all views."""
    found = Part(name="live", title="Live projection", about=ABOUT)
    progress.steps = sum(plan.rounds + 1 for plan in PLANS[size])
    for plan in PLANS[size]:
        title = f"{plan.products * 10:,} events, {len(VIEWS)} views of {plan.there * 10:,} events before"
        comparison = Comparison(title=title, unit="events/s", control=READING)
        found.comparisons.append(comparison)
        async with ground() as (source, pool, kafka):
            progress.step(f"{plan.there * 10:,} events into the views")
            await asyncio.to_thread(load_products, source.url, plan.there)
            await build_missing(VIEWS, source, pool, kafka)
            costs: list[Mapping[str, float]] = []
            for number in range(plan.rounds):
                progress.step(f"round {number + 1} of {plan.rounds}")
                last = await last_position(pool)
                first = plan.there + number * plan.products + 1
                events = await asyncio.to_thread(load_products, source.url, plan.products, first=first)
                await send(recorded(source.url, after=last), kafka)
                comparison.add(READING, events / await read(events, pool, kafka))
                run = await project(source.url, events, pool, kafka)
                comparison.add(OURS, events / run.seconds)
                assert (await freshness_now(pool)).lag == 0
                comparison.add(STORING, events / await store_again(source.url, last))
                costs.append(run.processor_seconds)
            found.facts[f"peak megabytes of the runner, {title}"] = run.peak_megabytes
            found.facts |= processors.facts(costs, plan.products * 10, title)
    return found


async def send(facts: Sequence[RecordedEvent], kafka: KafkaSettings) -> None:
    async with AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True, linger_ms=5) as producer:
        for fact in facts:
            headers = cloudevents.headers_of(fact)
            await producer.send(topics.PRODUCT, fact.data, fact.partition_key.encode(), headers=headers)
        await producer.flush()


async def read(events: int, pool: Pool, kafka: KafkaSettings) -> float:
    """Seconds for what the views do not have yet."""
    async with Replay(kafka, [topics.PRODUCT]) as replay:
        ends = await replay.ends()
        starts = await stored_offsets(pool)
        began, count = time.perf_counter(), 0
        async for batch in replay.records({at: starts.get(at, 0) for at in ends}, ends):
            count += sum(isinstance(event_of(record), RecordedEvent) for record in batch)
        took = time.perf_counter() - began
    assert count == events
    return took


def run_live(url: str, kafka: KafkaSettings, until_applied: int) -> Run:
    """A live runner until so many records are applied. In a process of its own."""

    async def running() -> Run:
        async with open_pool(url, role=WORKER, name="bench", max_size=8) as pool:

            async def done() -> bool:
                return sum((await stored_offsets(pool)).values()) >= until_applied

            stop = asyncio.Event()
            began = time.perf_counter()
            consuming = asyncio.create_task(live_runner(VIEWS, pool, kafka).run(stop))
            try:
                with processors.measured("the runner") as spent:
                    await until(done, PATIENCE)
                took = time.perf_counter() - began
                return Run(took, round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), spent)
            finally:
                stop.set()
                await consuming

    return uvloop.run(running())


async def project(url: str, events: int, pool: Pool, kafka: KafkaSettings) -> Run:
    """Of so many events."""
    before = sum((await stored_offsets(pool)).values())
    return await alone(run_live, url, kafka, before + events)


async def store_again(url: str, after: int) -> float:
    """Seconds to store what came into the views after a position, once it is out of them again."""
    rows: dict[str, bytes] = {}
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        cursor, live = connection.cursor(), await live_generations(connection)
        for view in VIEWS:
            table = table_of(view, generation_for(view, live))
            new = f"from {table} where position > {after}"
            async with cursor.copy(f"copy (select * {new}) to stdout (format binary)") as out:
                rows[table] = b"".join([part async for part in out])
            await cursor.execute(f"delete {new}")
            await cursor.execute(f"vacuum {table}")
        began = time.perf_counter()
        async with connection.transaction():
            for table, found in rows.items():
                async with cursor.copy(f"copy {table} from stdin (format binary)") as into:
                    await into.write(found)
        return time.perf_counter() - began


async def stored_offsets(pool: Pool) -> dict[Partition, int]:
    async with pool.connection() as connection:
        return await load_offsets(connection, LIVE)


if __name__ == "__main__":
    part.run("live", measure, knows_large=True)
