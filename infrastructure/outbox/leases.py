"""Shards of the outbox, each owned by one process at a time under a lease that the database issues and times."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool

SQL: Final = statements.load(Path(__file__).with_name("leases.sql"))

TTL_SECONDS: Final = 10.0


class Leases:
    """What `owner` holds: shard -> term. All times are the database's."""

    def __init__(self, pool: Pool, owner: str, *, ttl: float = TTL_SECONDS) -> None:
        self._pool = pool
        self.owner = owner
        self.ttl = ttl

    async def renew(self, held: Mapping[int, int]) -> tuple[dict[int, int], int]:
        """What of `held` (shard -> term) is still ours, and the fair share of this process now."""
        async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
            members = await connection.execute(SQL["attend"], {"owner": self.owner, "ttl": self.ttl})
            kept = await connection.execute(
                SQL["renew"],
                {"owner": self.owner, "ttl": self.ttl, "shards": list(held), "terms": list(held.values())},
            )
            row = await members.fetchone()
            assert row is not None
            share = -(-SHARDS // row[0])
            return dict(await kept.fetchall()), share

    async def claim(self, limit: int) -> dict[int, int]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["claim"], {"owner": self.owner, "ttl": self.ttl, "limit": limit})
            return dict(await cursor.fetchall())

    async def release(self, shards: Collection[int]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(SQL["release"], {"owner": self.owner, "shards": list(shards)})

    async def leave(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(SQL["leave"], {"owner": self.owner})

    async def owners(self) -> list[tuple[str, int, datetime]]:
        """(owner, how many shards, when the first of its leases ends)."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["owners"])
            return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]
