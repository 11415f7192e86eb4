"""Many products at once: each item's own result."""

from __future__ import annotations

from domain.product.commands import ArchiveProduct, ChangeProduct, CreateProduct
from services.usecases.bulk import ProductUpdate, update_products
from services.usecases.products import Products
from tests.support.event_store import ORG, Counting, CountingEventStore, context


async def test_each_item_ends_in_a_result_of_its_own() -> None:
    store, identities = CountingEventStore(), Counting()
    products = Products(store, identities)
    for name in ("a", "b", "c"):
        await products.handle(context(), name, CreateProduct(product_id=name, sku=name, name=name, base_price=100))
    updates = [
        ProductUpdate(product_id="a", commands=(ChangeProduct(base_price=105), ChangeProduct(name="A"))),
        ProductUpdate(product_id="b", commands=(ChangeProduct(base_price=100),)),
        ProductUpdate(product_id="nobody", commands=(ChangeProduct(base_price=1),)),
        ProductUpdate(product_id="c", commands=(ChangeProduct(name="C"), ChangeProduct(base_price=0))),
        ProductUpdate(product_id="a", commands=(ArchiveProduct(),)),
    ]
    results = await update_products(updates, store=store, identities=identities, context=context(batch=5))
    assert [(r.product_id, r.outcome, r.code) for r in results] == [
        ("a", "updated", None),
        ("b", "unchanged", None),
        ("nobody", "refused", "product_unknown"),
        ("c", "refused", "price_out_of_range"),
        ("a", "refused", "item_repeated"),
    ]
    assert results[0].version == 3
    assert all(result.reason and result.remedy for result in results if result.outcome == "refused")
    _, c = await products.get(ORG, "c")
    assert c.name == "c"  # all of an item's commands or none


async def test_an_empty_request_has_no_results() -> None:
    assert await update_products([], store=CountingEventStore(), identities=Counting(), context=context()) == []
