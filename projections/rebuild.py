"""Rebuilding a view while it is read: a new generation is filled beside the live one and takes its place.

1. Remember where Kafka's partitions end. What is not in a snapshot taken later will be found after these offsets, for
   an event is committed before it is relayed.
2. Fill from the event store, bucket by bucket, in several processes; then make the indexes.
3. Catch up from Kafka through the code of the live runner. Row versions make what overlaps harmless.
4. Compare with the live generation.
5. Switch: hold the live runner by its offsets, catch up to them, let the SQL view show the new table, commit.

Each step leaves behind, in one transaction, that it was done, so a rebuild killed anywhere goes on where it was.
Nothing here can reach a marketplace: events are read, rows are written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct
from psycopg import errors

from domain.errors import SyncStoreError
from infrastructure.kafka import offsets, topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections import checkpoints, comparison, generations
from projections.buckets import Filling
from projections.catch_up import CatchUp, TakenOver, consumer_of
from projections.comparison import Difference
from projections.fill import Source, connect
from projections.progress import Progress, Reporter
from projections.projection import AnyView
from projections.runner import LIVE
from projections.tables import block, table_of

_log: Final = structlog.get_logger(__name__)
_sql: Final = load(Path(__file__).with_suffix(".sql"))
LOCK_MILLISECONDS: Final = 2_000
"""Longest that readers wait behind the switch; then it lets them go first and tries again."""


class Rebuilt(Struct, frozen=True, kw_only=True):
    view: str
    generation: int
    events: int
    """Read from the event store, over all runs of this rebuild."""
    caught_up: int
    """Read from Kafka, in this run."""
    fill_seconds: float
    held_seconds: float
    """For which the switch kept the live runner, and in its last moment readers, waiting."""
    seconds: float
    differences: tuple[Difference, ...]
    """Rows that the live generation held otherwise at the same version."""


class RebuildRunning(SyncStoreError):
    """The view is being rebuilt by another process."""


class GenerationsDiffer(SyncStoreError):
    """The rebuilt rows are not those of the live view at the same versions; the switch was not made."""

    def __init__(self, view: str, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__(
            f"{len(differences)} rows of view {view} differ from what the events say, first {differences[0].key}; "
            "look at them, then rebuild again accepting the difference"
        )


async def rebuild(
    view: AnyView,
    source: Source,
    pool: Pool,
    kafka: KafkaSettings,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    read_topics: Sequence[str] = topics.TOPICS,
    processes: int = 2,
    accept_difference: bool = False,
) -> Rebuilt:
    """Build a new generation of a view and let it take the live one's place. Goes on with one that was begun.

    `source` and `pool` connect as the worker role. Raises RebuildRunning, TakenOver, GenerationsDiffer, TopicMissing,
    RecordsExpired, and BrokenHistory for events that cannot be read.
    """
    async with _alone(pool, view), Replay(kafka, read_topics) as replay:
        began = time.monotonic()
        generation = await generations.begin(view, pool, replay)
        work = _Rebuild(view, generation, source, pool, replay, Reporter(view.name, progress), processes)
        return await work.run(began, accept_difference=accept_difference)


async def build_missing(
    views: Sequence[AnyView],
    source: Source,
    pool: Pool,
    kafka: KafkaSettings,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    read_topics: Sequence[str] = topics.TOPICS,
) -> list[Rebuilt]:
    """Build each view that is not live in the shape this code writes: at a first start, or after an upgrade.

    Raises as `rebuild` does.
    """
    async with pool.connection() as connection:
        live = await checkpoints.live_generations(connection)
    wanting = [view for view in views if view.name not in live or live[view.name].shape != view.shape]
    return [await rebuild(view, source, pool, kafka, progress=progress, read_topics=read_topics) for view in wanting]


@asynccontextmanager
async def _alone(pool: Pool, view: AnyView) -> AsyncIterator[None]:
    async with pool.connection() as connection:
        name = {"name": f"syncstore/rebuild/{view.name}"}
        cursor = await connection.execute("select pg_try_advisory_lock(hashtextextended(%(name)s, 0))", name)
        if await cursor.fetchone() != (True,):
            raise RebuildRunning(f"view {view.name} is being rebuilt by another process; wait for it")
        try:
            yield
        finally:
            await connection.execute("select pg_advisory_unlock(hashtextextended(%(name)s, 0))", name)


class _Rebuild:
    def __init__(
        self,
        view: AnyView,
        generation: int,
        source: Source,
        pool: Pool,
        replay: Replay,
        reporter: Reporter,
        processes: int,
    ) -> None:
        self._view = view
        self._generation = generation
        self._source = source
        self._pool = pool
        self._replay = replay
        self._reporter = reporter
        self._filling = Filling(view, generation, source, pool, reporter, processes)
        self._catch_up = CatchUp(view, generation, pool, replay, reporter)

    async def run(self, began: float, *, accept_difference: bool) -> Rebuilt:
        events = await self._filling.run()
        fill_seconds = time.monotonic() - began
        await self._index()
        self._reporter.tell("catching up")
        await self._catch_up.to(await self._replay.ends())
        differences = await self._compare()
        if differences and not accept_difference:
            raise GenerationsDiffer(self._view.name, differences)
        held_seconds = await self._switch(events)
        await generations.drop_retired(self._view, self._pool)
        self._reporter.tell("done", events, events)
        _log.info("view_rebuilt", view=self._view.name, generation=self._generation, events=events)
        return Rebuilt(
            view=self._view.name,
            generation=self._generation,
            events=events,
            caught_up=self._catch_up.applied,
            fill_seconds=fill_seconds,
            held_seconds=held_seconds,
            seconds=time.monotonic() - began,
            differences=tuple(differences),
        )

    async def _index(self) -> None:
        self._reporter.tell("indexing")
        await asyncio.to_thread(self._make_indexes)

    def _make_indexes(self) -> None:
        table = table_of(self._view, self._generation)
        with connect(self._source, f"syncstore-rebuild-{self._view.name}") as connection, connection.transaction():
            if connection.execute(_sql["has_indexes"], {"table": table}).fetchone() == (False,):
                connection.execute("set local maintenance_work_mem = '256MB'")
                connection.execute(block(self._view, "indexes", self._generation))
            connection.execute(f"analyze {table}")

    async def _compare(self) -> list[Difference]:
        self._reporter.tell("comparing")
        async with self._pool.connection() as connection:
            live = (await checkpoints.live_generations(connection)).get(self._view.name)
            if live is None or live.shape != self._view.shape:
                return []
            return await comparison.compare(connection, self._view, live.number, self._generation)

    async def _switch(self, events: int) -> float:
        while True:
            self._reporter.tell("switching")
            await self._catch_up.to(await self._replay.ends())
            try:
                return await self._try_switch(events)
            except (errors.LockNotAvailable, errors.DeadlockDetected):
                _log.info("switch_waits_for_readers", view=self._view.name)

    async def _try_switch(self, events: int) -> float:
        """In one transaction; answers for how many seconds it held others up.

        What the live runner has applied is applied here before it may move again.
        """
        view = {"view": self._view.name, "generation": self._generation, "events": events}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
            live = await offsets.lock_offsets(connection, LIVE)
            held_since = time.monotonic()
            await self._catch_up.to(live)
            async with self._pool.connection() as other:
                reached = await offsets.load_offsets(other, consumer_of(self._view, self._generation))
            await offsets.open_partitions(connection, LIVE, reached)
            await connection.execute(checkpoints.sql["retire"], {"view": self._view.name})
            enlivened = await connection.execute(checkpoints.sql["enliven"], view)
            if not enlivened.rowcount:
                raise TakenOver(self._view.name)
            await connection.execute(block(self._view, "view", self._generation))
            await connection.execute(f"grant select on projections.{self._view.name} to syncstore_app")
            await offsets.forget(connection, consumer_of(self._view, self._generation))
        return time.monotonic() - held_since
