"""Which listing an item at a shop is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("items.sql"))


async def linked(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, external_id: str, listing_id: str
) -> None:
    await connection.execute(
        SQL["linked"],
        {"org_id": org_id, "connection_id": connection_id, "external_id": external_id, "listing_id": listing_id},
    )


async def unlinked(connection: AsyncConnection[Any], *, org_id: str, connection_id: str, external_id: str) -> None:
    await connection.execute(
        SQL["unlinked"], {"org_id": org_id, "connection_id": connection_id, "external_id": external_id}
    )


async def all_of(connection: AsyncConnection[Any], *, org_id: str, connection_id: str) -> dict[str, str]:
    """Listing by external id."""
    cursor = await connection.execute(SQL["all_of"], {"org_id": org_id, "connection_id": connection_id})
    return dict(await cursor.fetchall())


async def listings_of(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, external_ids: Iterable[str]
) -> dict[str, str]:
    """Listing by external id; items that are nobody's are absent."""
    cursor = await connection.execute(
        SQL["listings_of"],
        {"org_id": org_id, "connection_id": connection_id, "external_ids": list(external_ids)},
    )
    return dict(await cursor.fetchall())
