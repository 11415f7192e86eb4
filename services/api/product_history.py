"""What happened to a product: the facts, latest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from msgspec import Raw, Struct

from infrastructure.security.api_keys import Scope
from projections.history.reader import Change, list_history
from services.api.catalogue import DEFAULT_LIMIT, READ, Cursor, Limit, Words
from services.api.freshness import Awaited, headers_of, reach
from services.api.operations import Answer, Call, endpoint
from services.api.products import EXAMPLES, ONE


class HistoryQuery(Awaited, frozen=True, forbid_unknown_fields=True, kw_only=True):
    of: tuple[Literal["product", "stock", "listing"], ...] = ()
    """Only what happened to the product itself, to its stock, to its listings."""
    type: tuple[Words, ...] = ()
    """Wire names of events, such as product.base-price-changed."""
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


class HistoryItem(Struct, frozen=True, kw_only=True):
    """One fact. `data` is the event as it was stored; `changes` what moved from which value to which."""

    event_id: UUID
    type: str
    schema: int
    stream: str
    version: int
    position: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID | None
    batch_id: UUID | None
    changes: tuple[Change, ...]
    data: Any


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Latest first."""

    items: tuple[HistoryItem, ...]
    next_cursor: str | None
    position: int
    lag: int


@endpoint(
    "GET",
    ONE + "/history",
    scope=Scope.PRODUCTS_READ,
    tag="Products",
    summary="What happened to a product, its stock and its listings",
    answers={200: HistoryPage},
    refusals=("product_unknown", "cursor_invalid", *READ),
    path_examples=EXAMPLES,
)
async def get_product_history(call: Call, query: HistoryQuery) -> Answer:
    """Who changed what, when, from which value to which, and in the course of what."""
    app, org_id, product_id = call.app, call.org_id, call.path("product_id")
    await reach(app.pool, org_id, query)
    page = await list_history(
        app.pool, org_id, product_id, categories=query.of, types=query.type, limit=query.limit, cursor=query.cursor
    )
    if not page.items:
        await app.products.get(org_id, product_id)
    items = tuple(
        HistoryItem(
            event_id=entry.event_id,
            type=entry.type,
            schema=entry.schema,
            stream=entry.stream_id,
            version=entry.version,
            position=entry.position,
            occurred_at=entry.occurred_at,
            recorded_at=entry.recorded_at,
            actor=entry.actor,
            correlation_id=entry.correlation_id,
            causation_id=entry.causation_id,
            batch_id=entry.batch_id,
            changes=entry.changes,
            data=Raw(entry.data),
        )
        for entry in page.items
    )
    freshness = page.freshness
    body = HistoryPage(items=items, next_cursor=page.next_cursor, position=freshness.position, lag=freshness.lag)
    return Answer(body, headers=headers_of(freshness))


ROUTES: Final = (get_product_history,)
