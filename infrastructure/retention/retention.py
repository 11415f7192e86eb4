"""Deletes what is kept for a time only: answers to keys, ended jobs, handled notifications, relays that are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool

SQL: Final = statements.load(Path(__file__).with_name("retention.sql"))
TABLES: Final = ("idempotency_keys", "command_answers", "jobs", "shop_inbox", "relay_members")
PORTION: Final = 2000
"""Rows of one transaction."""
EVERY_SECONDS: Final = 3600.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def forget(pool: Pool, *, days: int, portion: int = PORTION) -> Mapping[str, int]:
    """Delete what is older, of every organisation: rows by table, tables without any left out. As the worker role."""
    gone: dict[str, int] = {}
    for table in TABLES:
        while True:
            async with pool.connection() as connection:
                cursor = await connection.execute(SQL[table], {"days": days, "portion": portion})
            if cursor.rowcount:
                gone[table] = gone.get(table, 0) + cursor.rowcount
            if cursor.rowcount < portion:
                break
    return gone


async def run_retention(pool: Pool, stop: asyncio.Event, *, days: int) -> None:
    """Once an hour until `stop` is set. Several at once do no harm."""
    while not stop.is_set():
        try:
            if gone := await forget(pool, days=days):
                log.info("old_rows_deleted", **gone)
        except Exception:
            log.exception("old_rows_not_deleted")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
