"""What an operator asks about the outbox, and decides about parked keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection

from domain.errors import SyncStoreError
from infrastructure.outbox.reader import SQL
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.pool import Pool


class NothingParked(SyncStoreError):
    """No event of this key waits."""


class Statistics(Struct, frozen=True):
    depth: int
    oldest_age_seconds: float
    parked: int


class ParkedKey(Struct, frozen=True):
    key: str
    since: datetime
    reason: str | None
    events: int
    first_position: int


async def statistics(pool: Pool) -> Statistics:
    async with pool.connection() as connection:
        cursor = await connection.execute(SQL["statistics"])
        row: Any = await cursor.fetchone()
    return Statistics(*row)


async def parked(pool: Pool) -> list[ParkedKey]:
    async with pool.connection() as connection:
        cursor = await connection.execute(SQL["parked"])
        return [ParkedKey(*row) for row in await cursor.fetchall()]


async def release(pool: Pool, key: str) -> int:
    """Let a key's events go to Kafka, in order; how many there were.

    Raises NothingParked.
    """
    async with pool.connection() as connection, connection.transaction():
        await _lock(connection, key)
        return await _release(connection, key)


async def drop(pool: Pool, key: str, *, reason: str, by: str) -> int:
    """Give up the refused event of a key and let those behind it go; how many these are.

    Raises NothingParked.
    """
    async with pool.connection() as connection, connection.transaction():
        await _lock(connection, key)
        await connection.execute(SQL["drop_refused"], {"key": key, "reason": reason, "by": by})
        return await _release(connection, key)


async def _lock(connection: AsyncConnection[Any], key: str) -> None:
    cursor = await connection.execute(SQL["lock_key"], {"key": key})
    if not await cursor.fetchall():
        raise NothingParked(f"nothing of key {key!r} is parked; see: syncstore relay parked")


async def _release(connection: AsyncConnection[Any], key: str) -> int:
    return (await connection.execute(SQL["release"], {"key": key, "shard": shard_of(key)})).rowcount
