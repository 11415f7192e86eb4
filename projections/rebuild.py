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
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct
from psycopg import AsyncConnection, errors

from domain.errors import SyncStoreError
from domain.messages import RecordedEvent
from infrastructure.kafka import offsets, topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.offsets import Partition, Step
from infrastructure.kafka.records import Record, Unreadable, event_of, partition_of
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections import checkpoints, comparison
from projections.comparison import Difference
from projections.fill import Source, connect, fill
from projections.fill_process import fill_in_process
from projections.projection import AnyView
from projections.runner import LIVE, Projections
from projections.tables import block, create_table, table_of

_log: Final = structlog.get_logger(__name__)
_sql: Final = load(Path(__file__).with_suffix(".sql"))
EVENTS_PER_BUCKET: Final = 50_000
SMALL: Final = 20_000
"""Up to here a rebuild is done before other processes would have started."""
LOCK_MILLISECONDS: Final = 2_000
"""Longest that readers wait behind the switch; then it lets them go first and tries again."""


class Progress(Struct, frozen=True, kw_only=True):
    view: str
    stage: str
    """"filling", "indexing", "catching up", "comparing", "switching", "done"."""
    done: int = 0
    total: int = 0
    """Events; an estimate while catching up, for events go on arriving."""
    rate: float = 0.0
    """Events per second, of this stage and this run."""
    eta_seconds: float | None = None


class Rebuilt(Struct, frozen=True, kw_only=True):
    view: str
    generation: int
    events: int
    """Read from the event store, over all runs of this rebuild."""
    caught_up: int
    """Read from Kafka, in this run."""
    fill_seconds: float
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


class UnreadableRecord(SyncStoreError):
    """A record in Kafka that must be caught up with cannot be read."""


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

    `source` and `pool` connect as the worker role. Raises RebuildRunning, GenerationsDiffer, TopicMissing,
    RecordsExpired, and BrokenHistory for events that cannot be read.
    """
    async with _alone(pool, view), Replay(kafka, read_topics) as replay:
        work = _Rebuild(view, source, pool, replay, progress, processes)
        return await work.run(accept_difference=accept_difference)


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
        source: Source,
        pool: Pool,
        replay: Replay,
        progress: Callable[[Progress], None],
        processes: int,
    ) -> None:
        self._view = view
        self._source = source
        self._pool = pool
        self._replay = replay
        self._progress = progress
        self._processes = processes
        self._generation = 0
        self._caught_up = 0

    @property
    def _consumer(self) -> str:
        return f"rebuild.{self._view.name}.{self._generation}"

    async def run(self, *, accept_difference: bool) -> Rebuilt:
        began = time.monotonic()
        await self._begin()
        events = await self._fill()
        fill_seconds = time.monotonic() - began
        await self._index()
        self._tell("catching up", 0, 0, time.monotonic())
        await self._catch_up(await self._replay.ends())
        differences = await self._compare()
        if differences and not accept_difference:
            raise GenerationsDiffer(self._view.name, differences)
        await self._switch(events)
        await self._drop_retired()
        self._tell("done", events, events, began)
        _log.info("view_rebuilt", view=self._view.name, generation=self._generation, events=events)
        return Rebuilt(
            view=self._view.name,
            generation=self._generation,
            events=events,
            caught_up=self._caught_up,
            fill_seconds=fill_seconds,
            seconds=time.monotonic() - began,
            differences=tuple(differences),
        )

    async def _begin(self) -> None:
        """Take up what was begun in today's shape, or begin; a beginning in another shape is thrown away."""
        view = self._view
        async with self._pool.connection() as connection:
            cursor = await connection.execute(checkpoints.sql["of_view"], {"view": view.name})
            for number, shape, state, *_ in await cursor.fetchall():
                if state == "building" and shape == view.shape:
                    self._generation = number
                elif state == "building":
                    await _discard(connection, view, number)
        if self._generation:
            return
        ends = await self._replay.ends()
        async with self._pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(checkpoints.sql["begin"], {"view": view.name, "shape": view.shape})
            row = await cursor.fetchone()
            assert row is not None, "an insert of one row returns one"
            self._generation = row[0]
            await create_table(connection, view, self._generation)
            await offsets.open_partitions(connection, self._consumer, ends)
            await connection.execute(
                _sql["cut_buckets"],
                {
                    "view": view.name,
                    "generation": self._generation,
                    "categories": list(view.categories),
                    "events_per_bucket": EVENTS_PER_BUCKET,
                },
            )

    async def _fill(self) -> int:
        began = time.monotonic()
        done = 0
        while True:
            buckets = await self._buckets()
            total = sum(expected for expected, _ in buckets)
            before = sum(events for _, events in buckets if events is not None) - done
            left = sum(expected for expected, events in buckets if events is None)
            self._tell("filling", before + done, total, began, done)
            if all(events is not None for _, events in buckets):
                return before + done
            async with aclosing(self._fill_here() if left <= SMALL else self._fill_in_processes()) as filled:
                async for events in filled:
                    done += events
                    self._tell("filling", before + done, total, began, done)
            await self._wait_for_others()

    async def _buckets(self) -> list[tuple[int, int | None]]:
        place = {"view": self._view.name, "generation": self._generation}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_sql["buckets"], place)
            return [(expected, events) for expected, events in await cursor.fetchall()]

    async def _wait_for_others(self) -> None:
        """A process whose rebuild was killed ends with the bucket it is at; until then that bucket is locked."""
        place = {"view": self._view.name, "generation": self._generation}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_sql["wait_for_buckets"], place)

    async def _fill_here(self) -> AsyncGenerator[int, None]:
        yield await asyncio.to_thread(lambda: sum(fill(self._source, self._view, self._generation)))

    async def _fill_in_processes(self) -> AsyncGenerator[int, None]:
        finished: asyncio.Queue[int | None] = asyncio.Queue()

        async def one_process() -> None:
            try:
                async for events in fill_in_process(self._source, self._view, self._generation):
                    finished.put_nowait(events)
            finally:
                finished.put_nowait(None)

        running = [asyncio.create_task(one_process()) for _ in range(self._processes)]
        try:
            ended = 0
            while ended < len(running):
                events = await finished.get()
                if events is None:
                    ended += 1
                else:
                    yield events
            await asyncio.gather(*running)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _index(self) -> None:
        began = time.monotonic()
        self._tell("indexing", 0, 0, began)
        await asyncio.to_thread(self._make_indexes)

    def _make_indexes(self) -> None:
        table = table_of(self._view, self._generation)
        with connect(self._source, f"syncstore-rebuild-{self._view.name}") as connection, connection.transaction():
            if connection.execute(_sql["has_indexes"], {"table": table}).fetchone() == (False,):
                connection.execute("set local maintenance_work_mem = '256MB'")
                connection.execute(block(self._view, "indexes", self._generation))
            connection.execute(f"analyze {table}")

    async def _catch_up(self, until: dict[Partition, int]) -> None:
        """Apply what Kafka holds from the stored offsets of this rebuild up to `until`."""
        effect = Projections([self._view], name=self._consumer, generations={self._view.name: self._generation})
        async with self._pool.connection() as connection:
            at = await offsets.load_offsets(connection, self._consumer)
        missing = {partition: 0 for partition in until if partition not in at}
        total = sum(max(end - at.get(partition, 0), 0) for partition, end in until.items())
        began, done = time.monotonic(), 0
        if missing:  # partitions were added to a topic meanwhile
            async with self._pool.connection() as connection:
                await offsets.open_partitions(connection, self._consumer, missing)
            at |= missing
        async for records in self._replay.records(at, until):
            events, steps = _step(records, at)
            async with self._pool.connection() as connection, connection.transaction():
                await offsets.advance(connection, self._consumer, steps)
                if events:
                    await effect.apply(connection, events)
            at |= {step.partition: step.next_offset for step in steps}
            done += len(records)
            self._tell("catching up", done, total, began, done)
        self._caught_up += done

    async def _compare(self) -> list[Difference]:
        began = time.monotonic()
        self._tell("comparing", 0, 0, began)
        async with self._pool.connection() as connection:
            live = (await checkpoints.live_generations(connection)).get(self._view.name)
            if live is None or live.shape != self._view.shape:
                return []
            return await comparison.compare(connection, self._view, live.number, self._generation)

    async def _switch(self, events: int) -> None:
        began = time.monotonic()
        while True:
            self._tell("switching", 0, 0, began)
            await self._catch_up(await self._replay.ends())
            try:
                return await self._try_switch(events)
            except (errors.LockNotAvailable, errors.DeadlockDetected):
                _log.info("switch_waits_for_readers", view=self._view.name)

    async def _try_switch(self, events: int) -> None:
        """In one transaction. What the live runner has applied is applied here before it may move again."""
        view = {"view": self._view.name, "generation": self._generation, "events": events}
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
            live = await offsets.lock_offsets(connection, LIVE)
            await self._catch_up(live)
            async with self._pool.connection() as other:
                reached = await offsets.load_offsets(other, self._consumer)
            await offsets.open_partitions(connection, LIVE, reached)
            await connection.execute(checkpoints.sql["retire"], {"view": self._view.name})
            await connection.execute(checkpoints.sql["enliven"], view)
            await connection.execute(block(self._view, "view", self._generation))
            await connection.execute(f"grant select on projections.{self._view.name} to syncstore_app")
            await offsets.forget(connection, self._consumer)

    async def _drop_retired(self) -> None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(checkpoints.sql["of_view"], {"view": self._view.name})
            for number, _, state, *_ in await cursor.fetchall():
                if state == "retired":
                    await _discard(connection, self._view, number)

    def _tell(self, stage: str, done: int, total: int, began: float, done_now: int = 0) -> None:
        rate = done_now / max(time.monotonic() - began, 1e-9)
        left = max(total - done, 0)
        self._progress(
            Progress(
                view=self._view.name,
                stage=stage,
                done=done,
                total=max(total, done),
                rate=rate,
                eta_seconds=left / rate if rate else None,
            )
        )


async def _discard(connection: AsyncConnection[Any], view: AnyView, generation: int) -> None:
    async with connection.transaction():
        await connection.execute(f"drop table if exists {table_of(view, generation)}")
        await offsets.forget(connection, f"rebuild.{view.name}.{generation}")
        await connection.execute(checkpoints.sql["forget"], {"view": view.name, "generation": generation})


def _step(records: Sequence[Record], at: dict[Partition, int]) -> tuple[list[RecordedEvent], list[Step]]:
    events: list[RecordedEvent] = []
    ends: dict[Partition, int] = {}
    for record in records:
        ends[partition_of(record)] = record.offset + 1
        event = event_of(record)
        if isinstance(event, Unreadable):
            raise UnreadableRecord(f"{record.topic}/{record.partition}:{record.offset} cannot be read: {event.reason}")
        if event is not None:
            events.append(event)
    return events, [Step(partition, at[partition], end, 0, 0) for partition, end in ends.items()]
