"""Stock: movements of one SKU in one warehouse, found by SKU alone."""

from __future__ import annotations

from datetime import datetime

from domain.messages import CommandContext
from domain.ports import EventStore, Identities
from domain.product.state import Product
from domain.product.variants import UnknownVariant
from domain.stock.commands import AdjustStock, CountStock, ReceiveStock, StockCommand
from domain.stock.decider import on_hand
from domain.stock.events import StockEvent
from domain.stock.state import StockState
from domain.values import stock_id, stream_id
from services.usecases.aggregates import STOCK
from services.usecases.conditions import Once, Respond, no_response
from services.usecases.outcome import Done
from services.usecases.products import Products
from services.usecases.repository import CACHED_STREAMS, Repository


class Stock:
    """A SKU that no product sells has no stock: such commands are refused as UnknownSku or UnknownVariant."""

    def __init__(
        self, store: EventStore, identities: Identities, products: Products, *, cached: int = CACHED_STREAMS
    ) -> None:
        self._products = products
        self._repository = Repository(STOCK, store, identities, cached=cached)

    async def receive(
        self,
        context: CommandContext,
        sku: str,
        warehouse: str,
        quantity: int,
        *,
        reason: str = "",
        once: Once | None = None,
        respond: Respond[StockState] = no_response,
    ) -> Done[StockState, StockEvent]:
        product_id, sku = await self._sold(context.org_id, sku)
        at = context.occurred_at or context.now
        command = ReceiveStock(
            product_id=product_id, sku=sku, warehouse=warehouse, quantity=quantity, at=at, reason=reason
        )
        return await self._handle(context, command, once, respond)

    async def count(
        self,
        context: CommandContext,
        sku: str,
        warehouse: str,
        counted: int,
        *,
        as_of: datetime | None = None,
        expected_on_hand: int | None = None,
        reason: str = "",
        once: Once | None = None,
        respond: Respond[StockState] = no_response,
    ) -> Done[StockState, StockEvent]:
        """`as_of` is when the shelf was looked at; None means now."""
        product_id, sku = await self._sold(context.org_id, sku)
        command = CountStock(
            product_id=product_id,
            sku=sku,
            warehouse=warehouse,
            counted=counted,
            as_of=as_of or context.now,
            now=context.now,
            expected_on_hand=expected_on_hand,
            reason=reason,
        )
        return await self._handle(context, command, once, respond)

    async def adjust(
        self,
        context: CommandContext,
        sku: str,
        warehouse: str,
        delta: int,
        *,
        reason: str = "",
        once: Once | None = None,
        respond: Respond[StockState] = no_response,
    ) -> Done[StockState, StockEvent]:
        product_id, sku = await self._sold(context.org_id, sku)
        at = context.occurred_at or context.now
        command = AdjustStock(product_id=product_id, sku=sku, warehouse=warehouse, delta=delta, at=at, reason=reason)
        return await self._handle(context, command, once, respond)

    async def on_hand(self, org_id: str, sku: str, warehouse: str) -> int:
        """Pieces; 0 for what was never told of."""
        return on_hand((await self._repository.load(org_id, _stream(org_id, sku, warehouse))).state)

    async def _handle(
        self, context: CommandContext, command: StockCommand, once: Once | None, respond: Respond[StockState]
    ) -> Done[StockState, StockEvent]:
        stream = _stream(context.org_id, command.sku, command.warehouse)
        return await self._repository.handle(context, stream, command.product_id, command, once=once, respond=respond)

    async def _sold(self, org_id: str, sku: str) -> tuple[str, str]:
        """Product id, and the SKU as the product writes it."""
        product_id = await self._products.by_sku(org_id, sku)
        _, product = await self._products.get(org_id, product_id)
        return product_id, sold_sku(product, sku)


def sold_sku(product: Product, sku: str) -> str:
    """The SKU as the product writes it. Raises UnknownVariant for the SKU of a product that is sold by its variants."""
    for variant in product.sellables:
        if variant.sku.casefold() == sku.casefold():
            return variant.sku
    raise UnknownVariant(f"{sku!r} is sold by its variants; stock is kept for each of them", sku=sku)


def _stream(org_id: str, sku: str, warehouse: str) -> str:
    return stream_id("stock", stock_id(org_id, sku, warehouse))
