"""Appends and their relay while another transaction of the same database stays open, as forgotten sessions do."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any, Final, NamedTuple
from uuid import uuid4

import uvloop
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection, IsolationLevel

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import create_or_check
from infrastructure.postgres.pool import Pool
from relay.loop import run_relay
from relay.metrics import RelayMetrics
from tests.benchmarks import append_load, part, processors
from tests.benchmarks.figures import LOWER, Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import BACKLOG, scratch_database
from tests.support.installation import until

CALLERS: Final = 8
STREAMS: Final = 2_500
"""Of each caller. Few streams that are written all the time would be slowed down by their own old versions."""
ABOUT: Final = f"""
{CALLERS} callers in a process of their own append without a pause, to {CALLERS * STREAMS:,} products, and one relay
publishes: with nothing else in the database, and right after that while one transaction stays open. Once it is a reader
with a snapshot and a transaction id, so that no row deleted since can be cleaned up; once an appender, whose ten events
nobody may see yet, and which has no snapshot. It commits while the load goes on. In between the backlog is drained and
PostgreSQL vacuums. What is published is counted when Kafka has acknowledged it. Dead rows are those of the outbox, as
PostgreSQL's statistics have them when the time is over.

A machine that is not for itself alone can be a fifth slower in one minute than in the next. So the processor time that
PostgreSQL takes for an event is measured too, in that of the process which appends: its work is the same, whatever is
held, so a slower machine changes both.
"""
FREE: Final = "nothing held"
EVERY: Final = 0.25
BACK: Final = 0.95
"""Of the usual throughput: as good as before."""
PATIENCE: Final = 300.0
WARM_UP: Final = 2.0
HELD: Final = ("reader", "appender")
OUTBOX: Final = """
select n_dead_tup, pg_total_relation_size('outbox') from pg_stat_user_tables where relname = 'outbox'
"""


class Plan(NamedTuple):
    seconds: float
    after: float
    """Of load, when the transaction has ended."""
    rounds: int


PLANS: Final = {
    Size.SMALL: Plan(10.0, 3.0, 1),
    Size.FULL: Plan(60.0, 15.0, 2),
}


class Sample(NamedTuple):
    at: float
    appended: int
    published: int
    database: float
    """Processor seconds of PostgreSQL so far."""


class Outcome(NamedTuple):
    published: float
    """A second."""
    usual: float
    """Published in the median second."""
    recovery: float | None
    """Seconds from the transaction's end until as much is published as before: 0 if it always was, None if never."""
    dead_rows: int
    outbox_megabytes: float
    database: float
    """Processor seconds of PostgreSQL for an event."""
    caller: float = 0.0
    """Processor seconds of the appending process for an event."""


async def measure(size: Size, progress: Progress) -> Part:
    """A minute with nothing else and one with a reader that stays, then the same with an appender that stays."""
    plan = PLANS[size]
    title = f"held for {plan.seconds:g} s"
    found = Part(name="held", title="A transaction that stays open", about=ABOUT)
    published = {by: Comparison(title=f"published, {by} held", unit="events/s", control=FREE) for by in HELD}
    database = {
        by: Comparison(
            title=f"processor time of PostgreSQL, {by} held", unit="of a caller's", control=FREE, better=LOWER
        )
        for by in HELD
    }
    found.comparisons = [*published.values(), *database.values()]
    outcomes: dict[str, list[Outcome]] = {by: [] for by in HELD}
    progress.steps = 2 * len(HELD) * plan.rounds
    with servers() as address:
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with AsyncExitStack() as stack:
            url, pool = await stack.enter_async_context(scratch_database(address.database_url))
            load = await stack.enter_async_context(relayed(url, pool, kafka))
            await load.undisturbed(WARM_UP)
            for number in range(plan.rounds):
                for by in HELD:
                    progress.step(f"{FREE}, round {number + 1} of {plan.rounds}")
                    free = await load.undisturbed(plan.seconds)
                    progress.step(f"{by}, round {number + 1} of {plan.rounds}")
                    held = await load.disturbed(by, plan.seconds, plan.after, free.usual)
                    outcomes[by].append(held)
                    published[by].add_round({FREE: free.published, title: held.published})
                    database[by].add_round(
                        {one: each.database / each.caller for one, each in ((FREE, free), (title, held))}
                    )
    for by, of_name in outcomes.items():
        loss = 1 - published[by].ratio(title).median
        found.facts[f"{by}: loss in percent"] = round(100 * loss, 1)
        found.facts[f"{by}: seconds to recover"] = recovery([one.recovery for one in of_name], plan.after)
        if any(one.recovery is None for one in of_name):
            found.notes.append(f"{by}: the usual throughput was not back within {plan.after:g} s in one round or more")
        found.facts[f"{by}: dead rows"] = median(one.dead_rows for one in of_name)
        found.facts[f"{by}: outbox in megabytes"] = median(one.outbox_megabytes for one in of_name)
    return found


@asynccontextmanager
async def relayed(url: str, pool: Pool, kafka: KafkaSettings) -> AsyncIterator[Load]:
    """A relay that runs all the time, and load for it when it is asked for."""
    registry, stop = CollectorRegistry(), asyncio.Event()
    relaying = asyncio.create_task(run_relay(pool, kafka, stop, owner="bench", metrics=RelayMetrics(registry)))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        try:
            yield Load(url, pool, registry, elsewhere)
        finally:
            stop.set()
            await relaying


class Load:
    def __init__(self, url: str, pool: Pool, registry: CollectorRegistry, elsewhere: ProcessPoolExecutor) -> None:
        self._url, self._pool, self._registry, self._elsewhere = url, pool, registry, elsewhere

    async def undisturbed(self, seconds: float) -> Outcome:
        writing = await self._started(seconds)
        samples = await self._watch(seconds)
        outcome = await self._outcome(samples, None)
        caller = await writing
        await self._made_even()
        return outcome._replace(caller=caller)

    async def disturbed(self, by: str, seconds: float, after: float, usual: float) -> Outcome:
        async with await AsyncConnection.connect(self._url) as connection:
            if by == "reader":
                await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
                await connection.execute("select pg_current_xact_id(), count(*) from outbox")
            else:
                await connection.execute(BACKLOG, {"keys": 1, "salt": uuid4().hex})
            writing = await self._started(seconds + after)
            outcome = await self._outcome(await self._watch(seconds), None)
            await connection.commit()
        ended = time.perf_counter()
        samples = await self._watch(after)
        caller = await writing
        await self._made_even()
        lost = outcome.usual < BACK * usual
        return outcome._replace(caller=caller, recovery=_first_as_good(samples, usual, ended) if lost else 0.0)

    async def _started(self, seconds: float) -> asyncio.Future[float]:
        """When the first events are there. The load ends a little after the given time, and answers what it cost."""
        before = (await self._sample()).appended
        writing = asyncio.get_running_loop().run_in_executor(self._elsewhere, write, self._url, seconds + 1)

        async def going() -> bool:
            return (await self._sample()).appended > before

        await until(going, PATIENCE)
        return writing

    async def _watch(self, seconds: float) -> list[Sample]:
        samples = [await self._sample()]
        while (gone := samples[-1].at - samples[0].at) < seconds:
            await asyncio.sleep(min(EVERY, seconds - gone))
            samples.append(await self._sample())
        return samples

    async def _sample(self) -> Sample:
        """A position is drawn for each event and for nothing else."""
        (appended,) = await self._ask("select case when is_called then last_value else 0 end from event_position")
        published = self._registry.get_sample_value("syncstore_relay_published_total")
        return Sample(
            time.perf_counter(), int(appended), int(published or 0), processors.spent("the reader")["PostgreSQL"]
        )

    async def _outcome(self, samples: list[Sample], recovery: float | None) -> Outcome:
        dead, size = await self._ask(OUTBOX)
        first, last = samples[0], samples[-1]
        seconds = last.at - first.at
        return Outcome(
            published=(last.published - first.published) / seconds,
            usual=median(_rates(samples)),
            recovery=recovery,
            dead_rows=int(dead),
            outbox_megabytes=round(size / 2**20, 1),
            database=(last.database - first.database) / (last.appended - first.appended),
        )

    async def _made_even(self) -> None:
        """Nothing is left of what was."""

        async def empty() -> bool:
            (waits,) = await self._ask("select exists (select from outbox)")
            return not waits

        await until(empty, PATIENCE)
        async with await AsyncConnection.connect(self._url, autocommit=True) as connection:
            await connection.execute("vacuum analyze")

    async def _ask(self, query: str) -> tuple[Any, ...]:
        async with self._pool.connection() as connection:
            row = await (await connection.execute(query.encode())).fetchone()
        assert row is not None
        return tuple(row)


def write(url: str, seconds: float) -> float:
    """In a process of its own; processor seconds that it took for an event."""

    async def appending() -> float:
        async with append_load.ours(url, CALLERS, STREAMS) as appends:
            began = time.process_time()
            done = await appends(seconds)
            return (time.process_time() - began) / (done.per_second * seconds)

    return uvloop.run(appending())


def _rates(samples: list[Sample]) -> list[float]:
    """Published a second, over each second."""
    step = round(1 / EVERY)
    pairs = zip(samples, samples[step:], strict=False)
    return [(later.published - sooner.published) / (later.at - sooner.at) for sooner, later in pairs]


def _first_as_good(samples: list[Sample], usual: float, ended: float) -> float | None:
    """A second counts from its beginning."""
    good = (one.at for one, rate in zip(samples, _rates(samples), strict=False) if rate >= BACK * usual)
    return next((at - ended for at in good), None)


def recovery(found: list[float | None], after: float) -> float:
    """Where one never came, as long as was waited for it: a goal that this misses is missed."""
    seconds = [one for one in found if one is not None]
    return round(median(seconds), 2) if len(seconds) == len(found) else after


if __name__ == "__main__":
    part.run("held", measure)
