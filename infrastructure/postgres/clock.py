"""The database's time in every process: what one has decided is never earlier than what it has seen another decide.

Listings order what was confirmed and what was seen by time, and the queue of pushes says when to try again. A machine
whose own clock is wrong, or is put right in a jump, would hold such work up for as long as it is off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
import structlog

from infrastructure.clock import SystemClock
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load

_sql: Final = load(Path(__file__).with_suffix(".sql"))
_log: Final = structlog.get_logger(__name__)
EVERY_SECONDS: Final = 5.0
"""Between two looks; in between a clock runs on by what has gone by on this machine."""
NOTABLE: Final = timedelta(seconds=2)


class DatabaseClock:
    """Goes by this machine's clock until it has been set."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._zero = SystemClock().now() - timedelta(seconds=monotonic())

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=self._monotonic())

    async def set(self, pool: Pool) -> None:
        """Raises psycopg.Error."""
        async with pool.connection() as connection:
            asked = self._monotonic()
            row = await (await connection.execute(_sql["now"])).fetchone()
            answered = self._monotonic()
        assert row is not None
        off = self.now() - timedelta(seconds=(answered - asked) / 2) - row[0]
        if abs(off) > NOTABLE:
            _log.warning("clock_set_by_database", ahead_seconds=round(off.total_seconds(), 1))
        self._zero -= off


@asynccontextmanager
async def open_clock(pool: Pool) -> AsyncIterator[DatabaseClock]:
    """A clock that is set now and then while the block lasts; while the database is away it runs on."""
    clock = DatabaseClock()

    async def follow() -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await _set(clock, pool)

    await _set(clock, pool)
    following = asyncio.create_task(follow())
    try:
        yield clock
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _set(clock: DatabaseClock, pool: Pool) -> None:
    try:
        await clock.set(pool)
    except (psycopg.Error, OSError) as error:
        _log.debug("clock_not_set", error=str(error))
