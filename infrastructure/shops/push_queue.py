"""Which listings have something to push: one row per listing, whatever happened to it how often.

What is pushed is computed from the listing when its turn comes, so a row carries no values, only urgency.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from psycopg import AsyncConnection

from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("push_queue.sql"))


class Urgency(IntEnum):
    """Lower goes first: what could be oversold, then stock, price, text, new listings."""

    STOP_SALE = 0
    STOCK = 1
    PRICE = 2
    CONTENT = 3
    NEW_LISTING = 4


class Wanted(Struct, frozen=True, kw_only=True):
    listing_id: str
    org_id: str
    connection_id: str
    product_id: str
    urgency: Urgency
    due_at: datetime
    since: datetime
    correlation_id: UUID
    causation_id: UUID
    """The event that is the reason."""
    look_first: bool = False
    """Compare with the shop before anything is pushed."""


class Due(Struct, frozen=True, kw_only=True):
    listing_id: str
    product_id: str
    urgency: Urgency
    attempts: int
    revision: int
    since: datetime
    deferred_since: datetime | None
    """Since when every turn has met the shop's limits."""
    correlation_id: UUID
    causation_id: UUID
    look_first: bool = False


async def enqueue(connection: AsyncConnection[Any], wanted: Sequence[Wanted]) -> None:
    """`wanted` names each listing at most once."""
    await connection.execute(
        SQL["enqueue"],
        {
            "listing_ids": [one.listing_id for one in wanted],
            "org_ids": [one.org_id for one in wanted],
            "connection_ids": [one.connection_id for one in wanted],
            "product_ids": [one.product_id for one in wanted],
            "priorities": [int(one.urgency) for one in wanted],
            "due_at": [one.due_at for one in wanted],
            "wanted_since": [one.since for one in wanted],
            "correlations": [one.correlation_id for one in wanted],
            "causations": [one.causation_id for one in wanted],
            "look_first": [one.look_first for one in wanted],
        },
    )


async def due(
    connection: AsyncConnection[Any],
    *,
    org_id: str,
    connection_id: str,
    now: datetime,
    under_way: Collection[str],
    limit: int,
) -> list[Due]:
    cursor = await connection.execute(
        SQL["due"],
        {
            "org_id": org_id,
            "connection_id": connection_id,
            "now": now,
            "under_way": list(under_way),
            "limit": limit,
        },
    )
    return [
        Due(
            listing_id=row[0],
            product_id=row[1],
            urgency=Urgency(row[2]),
            attempts=row[3],
            revision=row[4],
            since=row[5],
            deferred_since=row[6],
            correlation_id=row[7],
            causation_id=row[8],
            look_first=row[9],
        )
        for row in await cursor.fetchall()
    ]


async def next_due(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, under_way: Collection[str]
) -> datetime | None:
    cursor = await connection.execute(
        SQL["next_due"], {"org_id": org_id, "connection_id": connection_id, "under_way": list(under_way)}
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def done(connection: AsyncConnection[Any], item: Due) -> bool:
    """False when there has been a new reason to push meanwhile: the row stays."""
    cursor = await connection.execute(SQL["done"], {"listing_id": item.listing_id, "revision": item.revision})
    return cursor.rowcount == 1


async def postpone(
    connection: AsyncConnection[Any],
    item: Due,
    *,
    until: datetime,
    attempts: int,
    deferred: bool = False,
    look_first: bool = False,
) -> None:
    """`deferred`: the shop's limits were met, so nothing is known of the value itself."""
    await connection.execute(
        SQL["postpone"],
        {
            "listing_id": item.listing_id,
            "revision": item.revision,
            "due_at": until,
            "attempts": attempts,
            "deferred": deferred,
            "look_first": look_first,
        },
    )


async def depth(connection: AsyncConnection[Any], connection_id: str | None = None) -> tuple[int, datetime | None]:
    """How many listings wait, and since when the oldest does."""
    cursor = await connection.execute(SQL["depth"], {"connection_id": connection_id})
    row = await cursor.fetchone()
    assert row is not None
    return row[0], row[1]
