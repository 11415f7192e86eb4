"""Stock: what came in and what was counted, told by SKU."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from domain.stock.state import StockState, StockUnit
from infrastructure.security.api_keys import Scope
from services.api.bodies import in_range
from services.api.commands import Accepted, accepted
from services.api.operations import Answer, Call, endpoint
from services.api.products import location

_REFUSALS: Final = (
    "sku_unknown",
    "variant_unknown",
    "sku_invalid",
    "warehouse_invalid",
    "quantity_out_of_range",
    "text_invalid",
)

Moment = Annotated[datetime, Meta(tz=True)]


class Received(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Pieces that came in. `at` is when, if that was not now."""

    sku: str
    warehouse: str
    quantity: int
    at: Moment | None = None
    reason: str = ""


class Counted(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Pieces seen on the shelf at `as_of` (now, if left out); what moved since then is added.

    With `expected_on_hand` the count is refused if another figure is on hand.
    """

    sku: str
    warehouse: str
    counted: int
    as_of: Moment | None = None
    expected_on_hand: int | None = None
    reason: str = ""


class StockAccepted(Accepted, frozen=True, kw_only=True):
    """`id` is the product whose SKU it is; `on_hand` the figure after the command."""

    on_hand: int


class _Answered(Struct, frozen=True):
    product_id: str
    on_hand: int


def _answered(_: int, state: StockState) -> bytes:
    assert isinstance(state, StockUnit), "what was told of is there"
    return msgspec.json.encode(_Answered(state.product_id, state.on_hand))


@endpoint(
    "POST",
    "/api/v2/stock/receive",
    scope=Scope.PRODUCTS_WRITE,
    tag="Stock",
    summary="Pieces came in",
    answers={200: StockAccepted},
    refusals=_REFUSALS,
    command=True,
    example={"sku": "BTK-PRG-CKL-L", "warehouse": "Jakarta", "quantity": 24, "reason": "PO-2026-0117"},
)
async def receive_stock(call: Call, body: Received) -> Answer:
    context = replace(call.context(), occurred_at=in_range("at", body.at))
    done = await call.app.stock.receive(
        context, body.sku, body.warehouse, body.quantity, reason=body.reason, once=call.once(body), respond=_answered
    )
    return _answer(done.response, accepted("", done, ""))


@endpoint(
    "POST",
    "/api/v2/stock/count",
    scope=Scope.PRODUCTS_WRITE,
    tag="Stock",
    summary="Someone counted",
    answers={200: StockAccepted},
    refusals=(*_REFUSALS, "stock_moved", "count_from_future", "count_outdated"),
    command=True,
    example={"sku": "BTK-PRG-CKL-L", "warehouse": "Jakarta", "counted": 22, "expected_on_hand": 24},
)
async def count_stock(call: Call, body: Counted) -> Answer:
    done = await call.app.stock.count(
        call.context(),
        body.sku,
        body.warehouse,
        body.counted,
        as_of=in_range("as_of", body.as_of),
        expected_on_hand=body.expected_on_hand,
        reason=body.reason,
        once=call.once(body),
        respond=_answered,
    )
    return _answer(done.response, accepted("", done, ""))


def _answer(response: bytes, answer: Answer) -> Answer:
    told = msgspec.json.decode(response, type=_Answered)
    body: Accepted = answer.body
    full = StockAccepted(id=told.product_id, version=body.version, position=body.position, on_hand=told.on_hand)
    return Answer(full, answer.status, {**answer.headers, "location": location(told.product_id)})


ROUTES: Final = (receive_stock, count_stock)
