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
from tests.benchmarks import append_load, part
from tests.benchmarks.figures import Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import BACKLOG, scratch_database
from tests.support.installation import until

CALLERS: Final = 8
STREAMS: Final = 2_500
"""Of each caller. Few streams that are written all the time would be slowed down by their own old versions."""
ABOUT: Final = f"""
{CALLERS} callers in a process of their own append without a pause, to {CALLERS * STREAMS:,} products, and one relay
publishes: first with nothing else in the database, then while one transaction stays open. Once it is a reader with a
snapshot and a transaction id, so that no row deleted since can be cleaned up; once an appender, whose ten events nobody
may see yet, and which has no snapshot. It commits while the load goes on. In between the backlog is drained and
PostgreSQL vacuums. What is published is counted when Kafka has acknowledged it. Dead rows are those of the outbox, as
PostgreSQL's statistics have them when the time is over.
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


class Outcome(NamedTuple):
    appended: float
    """A second, as is `published`."""
    published: float
    usual: float
    """Published in the median second."""
    recovery: float | None
    """Seconds from the transaction's end until as much is published as before: 0 if it always was, None if never."""
    dead_rows: int
    outbox_megabytes: float


async def measure(size: Size, progress: Progress) -> Part:
    """A minute with nothing else, one with a reader that stays, one with an appender that stays."""
    plan = PLANS[size]
    found = Part(name="held", title="A transaction that stays open", about=ABOUT)
    appended = Comparison(title=f"appended meanwhile, {CALLERS} callers", unit="events/s", control=FREE)
    published = Comparison(title="published meanwhile", unit="events/s", control=FREE)
    found.comparisons = [appended, published]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in (FREE, *HELD)}
    progress.steps = len(outcomes) * plan.rounds
    with servers() as address:
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with AsyncExitStack() as stack:
            url, pool = await stack.enter_async_context(scratch_database(address.database_url))
            load = await stack.enter_async_context(relayed(url, pool, kafka))
            await load.undisturbed(WARM_UP)
            for number in range(plan.rounds):
                for name, found_so_far in outcomes.items():
                    progress.step(f"{name}, round {number + 1} of {plan.rounds}")
                    if name == FREE:
                        found_so_far.append(await load.undisturbed(plan.seconds))
                    else:
                        usual = outcomes[FREE][-1].usual
                        found_so_far.append(await load.disturbed(name, plan.seconds, plan.after, usual))
                    appended.add(_title(name, plan), found_so_far[-1].appended)
                    published.add(_title(name, plan), found_so_far[-1].published)
    for name, of_name in outcomes.items():
        found.facts[f"{name}: dead rows"] = median(one.dead_rows for one in of_name)
        found.facts[f"{name}: outbox in megabytes"] = median(one.outbox_megabytes for one in of_name)
        if name != FREE:
            loss = 1 - published.ratio(_title(name, plan)).median
            found.facts[f"{name}: loss in percent"] = round(100 * loss, 1)
            found.facts[f"{name}: seconds to recover"] = _recovery([one.recovery for one in of_name], plan.after)
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
        await writing
        await self._made_even()
        return outcome

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
        await writing
        await self._made_even()
        lost = outcome.usual < BACK * usual
        return outcome._replace(recovery=_first_as_good(samples, usual, ended) if lost else 0.0)

    async def _started(self, seconds: float) -> asyncio.Future[None]:
        """When the first events are there. The load ends a little after the given time."""
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
        return Sample(time.perf_counter(), int(appended), int(published or 0))

    async def _outcome(self, samples: list[Sample], recovery: float | None) -> Outcome:
        dead, size = await self._ask(OUTBOX)
        first, last = samples[0], samples[-1]
        seconds = last.at - first.at
        return Outcome(
            appended=(last.appended - first.appended) / seconds,
            published=(last.published - first.published) / seconds,
            usual=median(_rates(samples)),
            recovery=recovery,
            dead_rows=int(dead),
            outbox_megabytes=round(size / 2**20, 1),
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


def _title(name: str, plan: Plan) -> str:
    return name if name == FREE else f"{name} held for {plan.seconds:g} s"


def write(url: str, seconds: float) -> None:
    """In a process of its own."""

    async def appending() -> None:
        async with append_load.ours(url, CALLERS, STREAMS) as appends:
            await appends(seconds)

    uvloop.run(appending())


def _rates(samples: list[Sample]) -> list[float]:
    """Published a second, over each second."""
    step = round(1 / EVERY)
    pairs = zip(samples, samples[step:], strict=False)
    return [(later.published - sooner.published) / (later.at - sooner.at) for sooner, later in pairs]


def _first_as_good(samples: list[Sample], usual: float, ended: float) -> float | None:
    """A second counts from its beginning."""
    good = (one.at for one, rate in zip(samples, _rates(samples), strict=False) if rate >= BACK * usual)
    return next((at - ended for at in good), None)


def _recovery(found: list[float | None], after: float) -> float | str:
    seconds = [one for one in found if one is not None]
    return round(median(seconds), 2) if len(seconds) == len(found) else f"more than {after:g} in one round or more"


if __name__ == "__main__":
    part.run("held", measure)
