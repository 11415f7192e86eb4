"""Products: what the catalogue shows, and what it showed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import psycopg
from msgspec import Meta, Struct

from domain import events as wire
from domain.ports import AsOf
from domain.product.decider import NoSuchProduct
from domain.values import MAX_PRICE, ProductStatus, stream_id
from infrastructure.security.api_keys import Scope
from projections.catalogue.projector import CatalogueRow, fold
from projections.catalogue.reader import CatalogueFilter, Sort, list_products, read_product
from projections.reading import Freshness, freshness_now
from projections.set_aside import set_aside_of
from services.api.bodies import in_range
from services.api.conditions import etag
from services.api.freshness import Awaited, headers_of, reach
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Problem
from services.api.product_views import ProductSummary, ProductView, summary_of, view_of
from services.api.products import EXAMPLES, ONE, PATH, location
from services.app import App
from services.usecases.products import UnknownSku

Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[str, Meta(min_length=1, max_length=4000)]
Price = Annotated[int, Meta(ge=0, le=MAX_PRICE)]
Words = Annotated[str, Meta(max_length=200)]
Moment = Annotated[datetime, Meta(tz=True)]

DEFAULT_LIMIT: Final = 50
READ: Final = ("position_not_reached",)
"""What every read may refuse."""


class ProductQuery(Awaited, frozen=True, forbid_unknown_fields=True, kw_only=True):
    status: tuple[ProductStatus, ...] = (ProductStatus.ACTIVE, ProductStatus.INACTIVE)
    category: Words | None = None
    subcategory: Words | None = None
    tag: tuple[Words, ...] = ()
    price_from: Price | None = None
    price_to: Price | None = None
    updated_since: Moment | None = None
    q: Words = ""
    sku: Words | None = None
    sort: Sort | None = None
    """Without one: relevance with `q`, else newest."""
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class ProductPage(Struct, frozen=True, kw_only=True):
    """In the order asked for. `next_cursor` is null on the last page; it goes on with the same order and filters."""

    items: tuple[ProductSummary, ...]
    next_cursor: str | None
    position: int
    lag: int


@endpoint(
    "GET",
    PATH,
    scope=Scope.PRODUCTS_READ,
    tag="Products",
    summary="List or search products",
    answers={200: ProductPage},
    refusals=("cursor_invalid", *READ),
)
async def get_products(call: Call, query: ProductQuery) -> Answer:
    """By `newest` and `sku`, which nothing moves, a walk over all pages neither repeats nor misses a product while
    others are written. By `updated`, `name`, `price`, `-price` and `relevance` this holds of each product that does not
    itself change meanwhile. `q` finds beginnings of words and words with a slip of the finger; `sku` finds the product
    that has it. `relevance` needs `q`.
    """
    app, org_id = call.app, call.org_id
    await reach(app.pool, org_id, query)
    if query.sku is not None:
        return await _by_sku(app, org_id, query.sku)
    if query.sort is Sort.RELEVANCE and not query.q.strip():
        raise Problem("malformed_query", "sort: relevance is an order of a search; give q, or sort otherwise")
    wanted = CatalogueFilter(
        statuses=query.status,
        category=query.category,
        subcategory=query.subcategory,
        tags=query.tag,
        price_from=query.price_from,
        price_to=query.price_to,
        updated_since=in_range("updated_since", query.updated_since),
        search=query.q,
    )
    page = await list_products(app.pool, org_id, wanted, sort=query.sort, limit=query.limit, cursor=query.cursor)
    body = ProductPage(
        items=tuple(summary_of(row) for row in page.items),
        next_cursor=page.next_cursor,
        position=page.freshness.position,
        lag=page.freshness.lag,
    )
    return Answer(body, headers=headers_of(page.freshness))


async def _by_sku(app: App, org_id: str, sku: str) -> Answer:
    try:
        product_id = await app.products.by_sku(org_id, sku)
    except UnknownSku:
        rows: list[CatalogueRow] = []
        freshness = await freshness_now(app.pool)
    else:
        row, freshness = await _one(app, org_id, product_id)
        rows = [row]
    body = ProductPage(
        items=tuple(summary_of(row) for row in rows), next_cursor=None, position=freshness.position, lag=freshness.lag
    )
    return Answer(body, headers=headers_of(freshness))


@endpoint(
    "GET",
    ONE,
    scope=Scope.PRODUCTS_READ,
    tag="Products",
    summary="One product",
    answers={200: ProductView, 304: None},
    refusals=("product_unknown", *READ),
    path_examples=EXAMPLES,
)
async def get_product(call: Call, query: Awaited) -> Answer:
    """The ETag is the version. A product that the views have not come to yet is read from its events. `set_aside` names
    the parts of the system that take up nothing more of it until an operator releases it.
    """
    app, org_id, product_id = call.app, call.org_id, call.path("product_id")
    await reach(app.pool, org_id, query)
    row, freshness = await _one(app, org_id, product_id)
    set_aside = await set_aside_of(app.pool, org_id, product_id, freshness)
    headers = {"etag": etag(row.version), **headers_of(freshness)}
    if call.request.headers.get("if-none-match") == etag(row.version) and not set_aside:
        return Answer(None, 304, headers)
    return Answer(view_of(row, freshness, set_aside), headers=headers)


class Past(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Bounds that hold together. `occurred_at` asks what was so in the world, `recorded_at` what was known here."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    position: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    occurred_at: Moment | None = None
    recorded_at: Moment | None = None


@endpoint(
    "GET",
    ONE + "/as-of",
    scope=Scope.PRODUCTS_READ,
    tag="Products",
    summary="A product as it was",
    answers={200: ProductView},
    refusals=("product_unknown", "moment_unknown"),
    path_examples=EXAMPLES,
)
async def get_product_as_of(call: Call, query: Past) -> Answer:
    """Folded from the events up to that moment; `position` is that of the last of them."""
    bounds = AsOf(
        version=query.version,
        position=query.position,
        occurred_at=in_range("occurred_at", query.occurred_at),
        recorded_at=in_range("recorded_at", query.recorded_at),
    )
    app, product_id = call.app, call.path("product_id")
    row = await _folded(app, call.org_id, product_id, bounds)
    if row is None:
        version, _ = await app.products.get(call.org_id, product_id)
        raise Problem("moment_unknown", f"product {product_id} was not there at that moment", current_version=version)
    freshness = await freshness_now(app.pool)
    return Answer(view_of(row, freshness, ()), headers={**headers_of(freshness), "location": location(product_id)})


async def _one(app: App, org_id: str, product_id: str) -> tuple[CatalogueRow, Freshness]:
    """As the view has it; from its events where the view has not come to it, or is still to be built."""
    try:
        answer = await read_product(app.pool, org_id, product_id)
    except psycopg.errors.UndefinedTable:
        found, freshness = None, await freshness_now(app.pool)
    else:
        found, freshness = answer.found, answer.freshness
    row = found or await _folded(app, org_id, product_id, None)
    if row is None:
        raise NoSuchProduct(f"there is no product {product_id}", product_id=product_id)
    return row, freshness


async def _folded(app: App, org_id: str, product_id: str, bounds: AsOf | None) -> CatalogueRow | None:
    row: CatalogueRow | None = None
    for fact in await app.store.read_stream(org_id, stream_id("product", product_id), as_of=bounds):
        row = fold(row, fact, wire.decode(fact.type, fact.schema, fact.data))
    return row


ROUTES: Final = (get_products, get_product, get_product_as_of)
