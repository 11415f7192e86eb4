"""From a product and a shop to what the shop shall show, and on to what is due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.connection.commands import OpenConnection
from domain.listing.commands import LinkListing, Observe, PushedValue, RecordPush
from domain.listing.decider import NoSuchListing
from domain.listing.diff import due
from domain.listing.events import FieldGroup
from domain.policies.conflict_policy import DEFAULT_POLICY
from domain.product.commands import ChangeProduct, CreateProduct
from domain.values import Platform
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from tests.support.event_store import ORG, T0, Counting, CountingEventStore, context


async def test_a_price_edit_leads_to_one_due_price() -> None:
    store, identities = CountingEventStore(), Counting()
    products, connections = Products(store, identities), Connections(store, identities)
    listings = Listings(store, identities)
    await products.handle(
        context(), "p1", CreateProduct(product_id="p1", sku="BTK", name="Kemeja Batik", base_price=189_000)
    )
    shop = OpenConnection(connection_id="SHP", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await connections.handle(context(), "SHP", shop)
    _, connection = await connections.get(ORG, "SHP")
    _, product = await products.get(ORG, "p1")
    done, shown = await listings.set_desired(context(), product, {"BTK": 4}, connection, cause="product.created")
    assert shown.quotes["BTK"].price == 217_350
    identity = await listings.open(context(), connection, "p1")
    rows = [row for group in due(done.state, T0).values() for row in group]
    sent = tuple(PushedValue(field=row.field, value=row.value) for row in rows)
    await listings.handle(context(), identity, LinkListing(external_id="9", created=True))
    await listings.handle(context(), identity, RecordPush(answered_at=T0 + timedelta(seconds=1), confirmed=sent))

    await products.handle(context(seconds=2), "p1", ChangeProduct(base_price=199_000))
    _, product = await products.get(ORG, "p1")
    again, _ = await listings.set_desired(context(seconds=2), product, {"BTK": 4}, connection, cause="price")
    assert {g: [(r.field, r.value) for r in rows] for g, rows in due(again.state, T0).items()} == {
        FieldGroup.OFFER: [("price:BTK", 228_850)]
    }
    nothing, _ = await listings.set_desired(context(seconds=3), product, {"BTK": 4}, connection, cause="again")
    assert nothing.events == ()


async def test_a_shop_clock_that_is_ahead_is_set_to_now() -> None:
    store, identities = CountingEventStore(), Counting()
    listings, connections = Listings(store, identities), Connections(store, identities)
    shop = OpenConnection(connection_id="SHP", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await connections.handle(context(), "SHP", shop)
    identity = await listings.open(context(), (await connections.get(ORG, "SHP"))[1], "p1")
    seen = Observe(values={"title": "x"}, observed_at=T0 + timedelta(hours=1), source="push", policy=DEFAULT_POLICY)
    await listings.handle(context(seconds=5), identity, seen)
    _, listing = await listings.get(ORG, identity)
    shadow = listing.field("title").shadow
    assert shadow is not None
    assert shadow.at == T0 + timedelta(seconds=5)


async def test_a_listing_that_was_never_opened_is_unknown() -> None:
    with pytest.raises(NoSuchListing):
        await Listings(CountingEventStore(), Counting()).handle(context(), "nobody", LinkListing(external_id="9"))
