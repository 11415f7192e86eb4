"""Events that were published once, read again as the relay reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict
from psycopg import AsyncConnection, IsolationLevel
from psycopg.types.string import ByteaBinaryLoader

from infrastructure.outbox.reader import AS_BYTES, Pending
from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool

SQL: Final = statements.load(Path(__file__).with_suffix(".sql"))
COUNT: Final = SQL["count"].format(selected=SQL["selected"])
READ: Final = SQL["read"].format(selected=SQL["selected"])
BATCH: Final = 4_000


class Selection(Struct, frozen=True, kw_only=True):
    """All that holds of an event; None asks for nothing."""

    from_position: int | None = None
    since: datetime | None = None
    """When it was recorded, or later."""
    key: str | None = None
    """Of a product, or of a connection."""
    categories: tuple[str, ...] | None = None
    """Of streams."""


async def count(pool: Pool, selection: Selection) -> int:
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("set local statement_timeout = 0")
        row = await (await connection.execute(COUNT, _values(selection))).fetchone()
        assert row is not None, "an aggregate always answers one row"
        return int(row[0])


async def read(pool: Pool, selection: Selection) -> AsyncGenerator[list[Pending], None]:
    """By position, under one snapshot. What waits in the outbox is left to the relay; what was dropped stays so."""
    async with pool.connection() as connection:
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        try:
            async with connection.transaction():
                await connection.execute("set local statement_timeout = 0")
                await connection.execute("set local idle_in_transaction_session_timeout = 0")
                async for rows in _read(connection, selection):
                    yield rows
        finally:
            await connection.set_isolation_level(None)


async def _read(connection: AsyncConnection[Any], selection: Selection) -> AsyncGenerator[list[Pending], None]:
    async with connection.cursor("published", binary=True) as cursor:
        for name in AS_BYTES:
            cursor.adapters.register_loader(name, ByteaBinaryLoader)
        await cursor.execute(READ, _values(selection))
        while rows := await cursor.fetchmany(BATCH):
            yield [Pending._make(row) for row in rows]


def _values(selection: Selection) -> dict[str, Any]:
    values = asdict(selection)
    return values | {"categories": None if selection.categories is None else list(selection.categories)}
