"""One time for all processes, whatever their machines say."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from infrastructure.clock import SystemClock
from infrastructure.postgres import clock as clocks
from infrastructure.postgres.clock import DatabaseClock, open_clock
from infrastructure.postgres.pool import Pool, open_pool

HOURS = timedelta(hours=2)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clock is two hours ahead."""
    right = SystemClock().now
    monkeypatch.setattr(SystemClock, "now", lambda _: right() + HOURS)


async def off(clock: DatabaseClock, pool: Pool) -> timedelta:
    async with pool.connection() as connection:
        row = await (await connection.execute("select clock_timestamp()")).fetchone()
    assert row is not None
    now: datetime = row[0]
    return abs(clock.now() - now)


@pytest.mark.usefixtures("wrong")
async def test_a_wrong_machine_goes_by_the_databases_time_and_says_how_wrong_it_is(app_pool: Pool) -> None:
    with structlog.testing.capture_logs() as logged:
        async with open_clock(app_pool) as clock:
            assert await off(clock, app_pool) < timedelta(seconds=5)
            assert clock.now().tzinfo is UTC
    (line,) = [line for line in logged if line["event"] == "clock_set_by_database"]
    assert line["ahead_seconds"] == pytest.approx(HOURS.total_seconds(), abs=5)


async def test_a_clock_that_has_come_off_is_set_again(app_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "EVERY_SECONDS", 0.01)
    lost = 0.0
    async with open_clock(app_pool) as clock:
        monkeypatch.setattr(clock, "_monotonic", lambda: time.monotonic() - lost)
        lost = 3_600.0  # asleep for an hour
        async with asyncio.timeout(20):
            while await off(clock, app_pool) > timedelta(seconds=5):
                await asyncio.sleep(0.01)


async def test_without_a_database_it_is_this_machines_clock_that_runs_on(database_url: str) -> None:
    nowhere = database_url.rpartition("/")[0] + "/no_such_database"
    async with open_pool(nowhere, role=None, name="clock", max_size=1, patience=0.2) as pool, open_clock(pool) as clock:
        before = clock.now()
        assert abs(SystemClock().now() - before) < timedelta(seconds=5)
        assert clock.now() >= before
