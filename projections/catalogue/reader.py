"""The catalogue: lists with filters and search, and single products.

Pages go by the position at which a product was created, which nothing moves: while products are written, a walk over
all pages shows each product that was there from beginning to end exactly once. Filters are looked at when a page is
read. In a search the rank comes first; only a product whose own words change between two pages can change its place.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from domain.values import ProductStatus
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.catalogue.projector import CatalogueRow
from projections.reading import Answer, Page, cursor_of, marks_of, page_of, read

_sql: Final = load(Path(__file__).with_name("catalogue.sql"))
_WORD: Final = re.compile(r"\w+")


class CatalogueEntry(CatalogueRow, kw_only=True):
    rank: int = 0
    """How well it fits a search, 0 without one."""


class CatalogueFilter(Struct, frozen=True, kw_only=True):
    """What holds together; None and empty ask for nothing."""

    statuses: tuple[ProductStatus, ...] = (ProductStatus.ACTIVE, ProductStatus.INACTIVE)
    category: str | None = None
    subcategory: str | None = None
    tags: tuple[str, ...] = ()
    """All of them."""
    price_from: int | None = None
    price_to: int | None = None
    """Base price in whole rupiah, both ends included."""
    updated_since: datetime | None = None
    search: str = ""
    """Words of name, SKUs, category, tags or options: their beginnings, or nearly the words."""


_EVERYTHING: Final = CatalogueFilter()


async def list_products(
    pool: Pool, org_id: str, wanted: CatalogueFilter = _EVERYTHING, *, limit: int = 50, cursor: str | None = None
) -> Page[CatalogueEntry]:
    """A page of products.

    Raises InvalidCursor.
    """
    search = " ".join(wanted.search.lower().split())
    rank, before = marks_of(cursor, tuple[int, int]) if cursor else (None, None)
    values: dict[str, Any] = {
        "statuses": [str(status) for status in wanted.statuses] or None,
        "category": wanted.category,
        "subcategory": wanted.subcategory,
        "tags": list(wanted.tags) or None,
        "price_from": wanted.price_from,
        "price_to": wanted.price_to,
        "updated_since": wanted.updated_since,
        "before": before,
        "limit": limit + 1,
    }
    if search:
        values |= {"wanted": search, "words": _prefixes(search), "before_rank": rank}
    rows, freshness = await read(pool, org_id, _sql["search_page" if search else "page"], values, CatalogueEntry)
    last = rows[:limit][-1] if rows else None
    return page_of(rows, limit, freshness, cursor_of(last.rank, last.created_position) if last else None)


async def read_product(pool: Pool, org_id: str, product_id: str) -> Answer[CatalogueEntry]:
    rows, freshness = await read(pool, org_id, _sql["product"], {"product_id": product_id}, CatalogueEntry)
    return Answer(found=rows[0] if rows else None, freshness=freshness)


def _prefixes(search: str) -> str:
    """Every word, or a word that begins with it."""
    return " & ".join(f"'{word}':*" for word in _WORD.findall(search))
