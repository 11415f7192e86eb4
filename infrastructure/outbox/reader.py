"""The rows of the outbox as a relay reads, deletes and parks them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg.types.string import ByteaBinaryLoader

from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool

SQL: Final = statements.load(Path(__file__).with_name("reader.sql"))

AS_BYTES: Final = ("text", "json")


class Pending(NamedTuple):
    """An event on its way to Kafka; text stays the bytes it came as."""

    position: int
    shard: int
    is_parked: bool
    """An earlier event of its key waits for an operator."""
    rewinds: int
    """How often parked rows had returned to the outbox when this was read."""
    partition_key: bytes
    data: bytes
    type: bytes
    schema: int
    org_id: bytes
    actor: bytes
    event_id: bytes
    stream_id: bytes
    version: int
    occurred_at: bytes
    recorded_at: bytes
    correlation_id: bytes
    causation_id: bytes | None
    batch_id: bytes | None


class Refused(NamedTuple):
    """An event to park; without a reason it follows one of its key that was refused."""

    row: Pending
    reason: str | None


class Horizon(NamedTuple):
    given_out: int
    appenders: Mapping[str, str | None]
    """Who may still commit a position up to there -> the transaction's id, if a read can tell whether it sees it."""
    rewinds: int
    free_shards: int
    relays: int


class Outbox:
    """Every change carries the terms of leases: under a lost one nothing is changed."""

    def __init__(self, pool: Pool, owner: str) -> None:
        self._pool = pool
        self._owner = owner

    async def horizon(self, ttl: float) -> Horizon:
        """Relays count that were seen within `ttl` seconds."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["horizon"], {"ttl": ttl})
            row: Any = await cursor.fetchone()
        return Horizon(*row)

    async def pending(
        self,
        *,
        low: int,
        passed: Mapping[str, int],
        shards: Collection[int],
        under_way: Collection[int],
        limit: int,
    ) -> list[Pending]:
        """Visible rows of these shards above position `low`, but for those under way.

        `passed` are transactions with their floors: of one that this read can see, rows above the floor come as well.
        """
        async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
            for name in AS_BYTES:
                cursor.adapters.register_loader(name, ByteaBinaryLoader)
            await cursor.execute(
                SQL["pending"],
                {
                    "low": low,
                    "passed": _array(passed),
                    "floors": _array(passed.values()),
                    "shards": _array(shards),
                    "under_way": _array(under_way),
                    "limit": limit,
                },
                # With many under way, PostgreSQL looks them up in a hash only when it plans with the values at hand.
                prepare=len(under_way) < 100,
            )
            return list(map(Pending._make, await cursor.fetchall()))

    async def delete(self, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        """How many were deleted: fewer than given when a shard was lost meanwhile."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["delete_acknowledged"],
                {
                    "positions": _array(row.position for row in rows),
                    "shards": _array(terms),
                    "terms": _array(terms.values()),
                    "owner": self._owner,
                },
            )
            return cursor.rowcount

    async def park(self, refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
        """How many were parked."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["park"],
                {
                    "positions": [row.position for row, _ in refused],
                    "keys": [row.partition_key.decode() for row, _ in refused],
                    "reasons": [reason for _, reason in refused],
                    "shards": [row.shard for row, _ in refused],
                    "terms": [terms.get(row.shard, 0) for row, _ in refused],
                    "owner": self._owner,
                },
            )
            return cursor.rowcount


def _array(numbers: Iterable[int | str]) -> str:
    """An array as PostgreSQL reads it; a list of thousands would be adapted number by number."""
    return "{" + ",".join(map(str, numbers)) + "}"
