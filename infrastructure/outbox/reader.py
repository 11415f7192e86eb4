"""The rows of the outbox as the relay reads, deletes and parks them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from domain.errors import SyncStoreError
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool

SQL: Final = statements.load(Path(__file__).with_name("reader.sql"))


class NothingParked(SyncStoreError):
    """No event of this key waits."""


class Pending(NamedTuple):
    """An event on its way to Kafka; uuids as text, JSON as bytes."""

    position: int
    shard: int
    org_id: str
    stream_id: str
    version: int
    partition_key: str
    event_id: str
    type: str
    schema: int
    data: bytes
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: str
    causation_id: str | None
    batch_id: str | None


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


class Refused(NamedTuple):
    """An event to park; without a reason it follows one of its key that was refused."""

    row: Pending
    reason: str | None


class _Bytes(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class Outbox:
    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    async def pending(
        self, *, low: int, shards: Collection[int], under_way: Collection[int], limit: int
    ) -> list[Pending]:
        """Visible rows of these shards from position `low` on, but for those under way."""
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            cursor.adapters.register_loader("json", _Bytes)
            await cursor.execute(
                SQL["pending"],
                {"low": low, "shards": list(shards), "under_way": list(under_way), "limit": limit},
            )
            return [Pending._make(row) for row in await cursor.fetchall()]

    async def delete(self, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        """How many were deleted: fewer than given when a shard was lost meanwhile."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["delete_acknowledged"],
                {
                    "positions": [row.position for row in rows],
                    "shards": list(terms),
                    "terms": list(terms.values()),
                    "owner": self._owner,
                },
            )
            return cursor.rowcount

    async def parked_keys(self) -> set[str]:
        """Keys that wait. Those of which nothing refused waits any more are let go on the way."""
        async with self._pool.connection() as connection:
            keys = await _keys(connection)
            if keys:
                shards = [shard_of(key) for key in keys]
                await connection.execute(SQL["release_headless"], {"keys": list(keys), "shards": shards})
                keys = await _keys(connection)
            return keys

    async def park(self, refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["park"],
                {
                    "positions": [row.position for row, _ in refused],
                    "keys": [row.partition_key for row, _ in refused],
                    "reasons": [reason for _, reason in refused],
                    "shards": [row.shard for row, _ in refused],
                    "terms": [terms[row.shard] for row, _ in refused],
                    "owner": self._owner,
                },
            )
            return cursor.rowcount


async def _keys(connection: AsyncConnection[Any]) -> set[str]:
    cursor = await connection.execute(SQL["parked_keys"])
    return {key for (key,) in await cursor.fetchall()}


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
    return await _on_key(pool, key, "release", {"key": key, "shard": shard_of(key)})


async def drop(pool: Pool, key: str, *, reason: str, by: str) -> int:
    """Give up the first event of a key; those behind it stay until released.

    Raises NothingParked.
    """
    return await _on_key(pool, key, "drop_first", {"key": key, "reason": reason, "by": by})


async def _on_key(pool: Pool, key: str, statement: str, parameters: dict[str, Any]) -> int:
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(SQL["lock_key"], {"key": key})
        if not await cursor.fetchall():
            raise NothingParked(f"nothing of key {key!r} is parked; see: syncstore relay parked")
        return (await connection.execute(SQL[statement], parameters)).rowcount
