"""Stock is found by SKU, and only what a product sells has any."""

from __future__ import annotations

import pytest

from domain.product.commands import CreateProduct
from domain.product.variants import UnknownVariant
from domain.stock.decider import NotEnoughStock, UnexpectedStock
from domain.values import Option, Variant
from services.usecases.products import Products, UnknownSku
from services.usecases.stock import Stock
from tests.support.event_store import ORG, Counting, CountingEventStore, context


@pytest.fixture
async def stock() -> Stock:
    store, identities = CountingEventStore(), Counting()
    products = Products(store, identities)
    variant = Variant(sku="BTK-L", options=(Option("Ukuran", "L"),))
    create = CreateProduct(product_id="p1", sku="BTK", name="Kemeja", base_price=5, variants=(variant,))
    await products.handle(context(), "p1", create)
    return Stock(store, identities, products)


async def test_movements_add_up_whatever_the_case_of_the_sku(stock: Stock) -> None:
    await stock.receive(context(), "btk-l", "JKT", 10)
    await stock.adjust(context(seconds=1), "BTK-L", "jkt", -3)
    assert await stock.on_hand(ORG, "Btk-L", "JKT") == 7
    assert await stock.on_hand(ORG, "BTK-L", "SBY") == 0


async def test_stock_of_a_sku_that_nobody_sells_is_refused(stock: Stock) -> None:
    with pytest.raises(UnknownSku):
        await stock.receive(context(), "NOBODY", "JKT", 1)
    with pytest.raises(UnknownVariant):
        await stock.receive(context(), "BTK", "JKT", 1)


async def test_more_than_there_is_cannot_be_taken(stock: Stock) -> None:
    with pytest.raises(NotEnoughStock):
        await stock.adjust(context(), "BTK-L", "JKT", -1)


async def test_a_figure_is_set_only_where_the_expected_one_is_on_hand(stock: Stock) -> None:
    await stock.count(context(), "BTK-L", "JKT", 10)
    await stock.count(context(seconds=1), "BTK-L", "JKT", 8, expected_on_hand=10)
    with pytest.raises(UnexpectedStock):
        await stock.count(context(seconds=2), "BTK-L", "JKT", 7, expected_on_hand=10)
