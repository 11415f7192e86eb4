"""Filling all buckets of a generation: here when they are few, else in several processes.

A bucket is a range of streams with about as many events as any other; whoever takes one marks it when it is filled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.fill import Source, fill
from projections.fill_process import fill_in_process
from projections.progress import Reporter
from projections.projection import AnyView

_sql: Final = load(Path(__file__).with_name("rebuild.sql"))
EVENTS_PER_BUCKET: Final = 50_000
SMALL: Final = 20_000
"""Up to here a generation is filled before other processes would have started."""


async def cut_buckets(connection: AsyncConnection[Any], view: AnyView, generation: int) -> None:
    await connection.execute(
        _sql["cut_buckets"],
        {
            "view": view.name,
            "generation": generation,
            "categories": list(view.categories),
            "events_per_bucket": EVENTS_PER_BUCKET,
        },
    )


class Filling:
    def __init__(
        self, view: AnyView, generation: int, source: Source, pool: Pool, reporter: Reporter, processes: int
    ) -> None:
        self._view = view
        self._generation = generation
        self._source = source
        self._pool = pool
        self._reporter = reporter
        self._processes = processes

    async def run(self) -> int:
        """Fill what is not filled yet; answers the events of all buckets."""
        began = time.monotonic()
        done = 0
        while True:
            buckets = await self._buckets()
            total = sum(expected for expected, _ in buckets)
            before = sum(events for _, events in buckets if events is not None) - done
            left = sum(expected for expected, events in buckets if events is None)
            self._reporter.tell("filling", before + done, total, began=began, done_now=done)
            if all(events is not None for _, events in buckets):
                return before + done
            async with aclosing(self._fill_here() if left <= SMALL else self._fill_in_processes()) as filled:
                async for events in filled:
                    done += events
                    self._reporter.tell("filling", before + done, total, began=began, done_now=done)
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
