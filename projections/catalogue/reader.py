"""The catalogue: lists with filters and search, and single products.

Pages go by the position at which a product was created, or by its SKU, which nothing moves: while products are written,
a walk over all pages shows each product that was there from beginning to end exactly once. Filters are looked at when a
page is read. By name, by price, by the time of the last change and by how well they fit a search, only a product that
itself changes between two pages can change its place, and so be shown twice or not at all; the others are shown once.
A search that comes to find few or very many between two pages ranks anew.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import blake2s
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from domain.values import ProductStatus
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.catalogue.projector import CatalogueRow
from projections.catalogue.words import beginnings, likely_slips, slips
from projections.reading import Answer, InvalidCursor, Page, cursor_of, marks_of, page_of, read

_sql: Final = load(Path(__file__).with_name("catalogue.sql"))
_PAGE: Final = _sql["page"].format(filters=_sql["filters"])
_SEARCH_PAGE: Final = _sql["search_page"].format(filters=_sql["filters"])


class CatalogueEntry(CatalogueRow, kw_only=True):
    rank: int = 0
    """How well it fits a search, 0 without one."""
    mark: str
    """Its place in the order of the page, before what tells equals apart."""


class Sort(StrEnum):
    RELEVANCE = "relevance"  # best fit first; of a search alone
    NEWEST = "newest"  # by creation
    UPDATED = "updated"  # last changed first
    NAME = "name"
    PRICE = "price"
    DEAREST = "-price"
    SKU = "sku"


_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Meta(pattern=r"^[^\x00]*$")]


class _Order(Struct, frozen=True):
    """The key of an order as SQL, and which way it goes; `kind` is what a cursor's mark must be."""

    key: str
    kind: Any
    type: str
    descending: bool = False

    def over(self, statement: str) -> str:
        beyond, direction = ("<", "desc") if self.descending else (">", "asc")
        return statement.format(
            key=self.key, type=self.type, beyond=beyond, direction=direction, filters=_sql["filters"]
        )


_ORDERS: Final = {
    Sort.NEWEST: _Order("c.created_position", _Whole, "bigint", descending=True),
    Sort.UPDATED: _Order("c.updated_at", datetime, "timestamptz", descending=True),
    Sort.NAME: _Order("lower(c.name)", _Text, "text"),
    Sort.PRICE: _Order("c.base_price", _Whole, "bigint"),
    Sort.DEAREST: _Order("c.base_price", _Whole, "bigint", descending=True),
    Sort.SKU: _Order("lower(c.sku)", _Text, "text"),
}


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
    """Words of name, SKUs, category, tags or options: their beginnings, or where few are found, words one slip away."""


_EVERYTHING: Final = CatalogueFilter()


async def list_products(
    pool: Pool,
    org_id: str,
    wanted: CatalogueFilter = _EVERYTHING,
    *,
    sort: Sort | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[CatalogueEntry]:
    """A page of products; of a search by relevance unless another order is asked for, else the newest first.

    Relevance without a search is no order: it raises ValueError. A cursor of another order or of other filters raises
    InvalidCursor.
    """
    search = " ".join(wanted.search.lower().split())
    sort = sort or (Sort.RELEVANCE if search else Sort.NEWEST)
    if sort is Sort.RELEVANCE and not search:
        raise ValueError("products are sorted by relevance only in a search")
    asked = blake2s(msgspec.json.encode(wanted), digest_size=6).hexdigest()
    mark, before = _place(cursor, sort, asked) if cursor else (None, None)
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
    if sort is Sort.RELEVANCE:
        statement = _SEARCH_PAGE
        values |= {"wanted": search, **_queries(search), "before_rank": mark}
    elif sort is Sort.NEWEST and not search:
        statement = _PAGE
    else:
        statement = _ORDERS[sort].over(_sql["sorted_page"])
        values |= {"wanted": search or None, **_queries(search), "mark": mark}
    rows, freshness = await read(pool, org_id, statement, values, CatalogueEntry)
    last = rows[:limit][-1] if rows else None
    after = cursor_of(sort, asked, last.mark, last.created_position) if last else None
    return page_of(rows, limit, freshness, after)


def _place(cursor: str, sort: Sort, asked: str) -> tuple[Any, int]:
    """Where the page before ended: the mark in this order, and the position of creation."""
    made_for, of, mark, before = marks_of(cursor, tuple[str, str, str, _Whole])
    if (made_for, of) != (sort, asked):
        raise InvalidCursor("this cursor was made for another order or other filters", cursor=cursor)
    kind = _Whole if sort is Sort.RELEVANCE else _ORDERS[sort].kind
    try:
        return msgspec.convert(mark, kind, strict=False), before
    except msgspec.ValidationError as error:
        raise InvalidCursor("this cursor was not made by this list", cursor=cursor) from error


async def read_product(pool: Pool, org_id: str, product_id: str) -> Answer[CatalogueEntry]:
    rows, freshness = await read(pool, org_id, _sql["product"], {"product_id": product_id}, CatalogueEntry)
    return Answer(found=rows[0] if rows else None, freshness=freshness)


def _queries(search: str) -> dict[str, str]:
    return {"words": beginnings(search), "slips": slips(search), "likely": likely_slips(search)}
