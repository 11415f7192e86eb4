"""The stock column of a catalogue file: set as a count, or added as a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial

from msgspec import Struct

from domain.catalogue_file.rows import RowRejected, rejected
from domain.errors import Refusal
from domain.messages import CommandContext
from domain.ports import EventStore, Identities
from domain.product.state import Product
from domain.stock.commands import CountStock, ReceiveStock
from domain.stock.decider import on_hand
from domain.stock.events import StockEvent
from domain.stock.state import StockState
from domain.values import fingerprint, stock_id, stream_id
from services.usecases.aggregates import STOCK
from services.usecases.conditions import Once
from services.usecases.many import Intent, decide_many
from services.usecases.outcome import Done
from services.usecases.stock import sold_sku


class StockMode(StrEnum):
    SET = "set"  # the file's figure is what is on the shelf now
    ADD = "add"  # so many came in; taken once for each batch id


class ImportPlan(Struct, frozen=True, kw_only=True):
    """Whose stock the file tells and how. A preview decides everything and stores nothing."""

    warehouse: str
    stock_mode: StockMode = StockMode.SET
    preview: bool = False


class StockLine(Struct, frozen=True, kw_only=True):
    product: Product
    sku: str
    quantity: int
    line: int


async def book_stock(
    lines: Sequence[StockLine],
    plan: ImportPlan,
    *,
    store: EventStore,
    identities: Identities,
    context: CommandContext,
) -> Sequence[Done[StockState, StockEvent] | RowRejected]:
    """One outcome for each line, in order. A figure that is right already leads to no event."""
    outcomes: dict[int, Done[StockState, StockEvent] | RowRejected] = {}
    intents: dict[int, Intent[StockState, StockEvent]] = {}
    for place, line in enumerate(lines):
        try:
            intents[place] = _intent(line, sold_sku(line.product, line.sku), plan, context)
        except Refusal as refusal:
            outcomes[place] = rejected(line.line, "stock", str(line.quantity), refusal)
    ended = await decide_many(
        STOCK,
        list(intents.values()),
        store=store,
        identities=identities,
        context=context,
        write=not plan.preview,
    )
    for place, end in zip(intents, ended, strict=True):
        line = lines[place]
        if isinstance(end, Refusal):
            outcomes[place] = rejected(line.line, "stock", str(line.quantity), end)
        else:
            outcomes[place] = end
    return [outcomes[place] for place in range(len(lines))]


def _intent(line: StockLine, sku: str, plan: ImportPlan, context: CommandContext) -> Intent[StockState, StockEvent]:
    stream = stream_id("stock", stock_id(context.org_id, sku, plan.warehouse))
    if plan.stock_mode is StockMode.SET:
        count = CountStock(
            product_id=line.product.product_id,
            sku=sku,
            warehouse=plan.warehouse,
            counted=line.quantity,
            as_of=context.now,
            now=context.now,
            reason="import",
        )
        return Intent(stream, line.product.product_id, partial(_set, count))
    receive = ReceiveStock(
        product_id=line.product.product_id,
        sku=sku,
        warehouse=plan.warehouse,
        quantity=line.quantity,
        at=context.now,
        reason="import",
    )
    asked = fingerprint(stream.encode(), str(line.quantity).encode())
    once = Once(f"import:{context.batch_id}:{stream}", asked)
    return Intent(stream, line.product.product_id, partial(_add, receive), once)


def _set(count: CountStock, state: StockState) -> Sequence[StockEvent]:
    return [] if on_hand(state) == count.counted else STOCK.decider.decide(count, state)


def _add(receive: ReceiveStock, state: StockState) -> Sequence[StockEvent]:
    return [] if receive.quantity == 0 else STOCK.decider.decide(receive, state)
