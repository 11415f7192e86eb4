"""How listings stand. Pages go by listing id, which never changes: a walk shows each listing exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from domain.listing.status import Status
from domain.values import Platform
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.listing_status.projector import ListingRow
from projections.reading import Answer, Freshness, Page, cursor_of, marks_of, page_of, read
from projections.set_aside import SetAside, set_aside_among

_sql: Final = load(Path(__file__).with_name("listing_status.sql"))


class ListingEntry(ListingRow, kw_only=True):
    set_aside: tuple[SetAside, ...] = ()
    """Of the product: whoever takes up nothing more of it."""


class ReasonSummary(Struct, frozen=True, kw_only=True):
    """A code that is in the way of listings, and one of the messages that came with it."""

    code: str
    message: str
    listings: int


class ShopSummary(Struct, frozen=True, kw_only=True):
    """Counts of listings, except `groups`: status -> groups of fields (three per listing). `reasons` by frequency."""

    connection_id: str
    platform: Platform
    listings: int
    linked: int
    behind: int
    held: int
    refused: int
    paused: int
    set_aside: int
    open_conflicts: int
    last_synced_at: datetime | None
    groups: dict[Status, int]
    reasons: list[ReasonSummary]


async def list_listings(
    pool: Pool,
    org_id: str,
    *,
    connection_id: str | None = None,
    platform: Platform | None = None,
    product_ids: Sequence[str] = (),
    statuses: Sequence[Status] = (),
    in_conflict: bool = False,
    is_set_aside: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ListingEntry]:
    """A page of listings; `statuses` asks for those of which any group of fields stands so, `is_set_aside` for those of
    products that somebody has set aside.

    Raises InvalidCursor.
    """
    (after,) = marks_of(cursor, tuple[str]) if cursor else (None,)
    values = {
        "connection_id": connection_id,
        "platform": platform,
        "product_ids": list(product_ids) or None,
        "statuses": [str(status) for status in statuses] or None,
        "in_conflict": in_conflict,
        "after": after,
        "limit": limit + 1,
    }
    statement = _sql["page"].format(narrowed=_sql["is_set_aside"] if is_set_aside else "")
    rows, freshness = await read(pool, org_id, statement, values, ListingEntry)
    await _tell_set_aside(pool, org_id, rows, freshness)
    return page_of(rows, limit, freshness, cursor_of(rows[:limit][-1].listing_id) if rows else None)


async def read_listing(pool: Pool, org_id: str, listing_id: str) -> Answer[ListingEntry]:
    rows, freshness = await read(pool, org_id, _sql["listing"], {"listing_id": listing_id}, ListingEntry)
    await _tell_set_aside(pool, org_id, rows, freshness)
    return Answer(found=rows[0] if rows else None, freshness=freshness)


async def _tell_set_aside(pool: Pool, org_id: str, rows: Sequence[ListingEntry], freshness: Freshness) -> None:
    found = await set_aside_among(pool, org_id, {row.product_id for row in rows}, freshness)
    for row in rows:
        row.set_aside = found.get(row.product_id, ())


async def summarise(pool: Pool, org_id: str, connection_id: str | None = None) -> Page[ShopSummary]:
    """How the listings of each shop stand, all shops on one page."""
    rows, freshness = await read(pool, org_id, _sql["summary"], {"connection_id": connection_id}, ShopSummary)
    return Page(items=tuple(rows), next_cursor=None, freshness=freshness)
