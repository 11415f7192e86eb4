"""Products, stock and shops -> what each listing shall show."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.connection.commands import ChangeCategories, ChangePricingRule
from domain.listing.events import DesiredChanged, PushHeld
from domain.policies.pricing_rule import FeeStack, Markup
from domain.product.commands import AddVariant, SetPlatformOverride
from domain.product.events import Override
from domain.values import Platform, ProductStatus
from services.usecases.listings import Listings
from tests.services.consumers.stage import ORG, Stage, sizes


async def test_a_new_product_is_listed_in_every_shop_at_that_shops_price(stage: Stage) -> None:
    await stage.connect("SHP")
    await stage.connect("TTS", platform=Platform.TIKTOK_SHOP)
    await stage.create(base_price=199_000)
    await stage.receive("BTK", 4)
    await stage.deliver()
    assert await stage.targets(connection="SHP") == {"price:BTK": 228_850, "stock:BTK": 4}
    assert await stage.targets(connection="TTS") == {"price:BTK": 238_800, "stock:BTK": 4}
    listing = await stage.listing()
    assert (listing.field("title").target, listing.field("weight").target) == ("Kemeja Batik Parang", 300)
    assert listing.field("listed").target is True


async def test_a_shop_shows_the_stock_of_its_own_warehouses(stage: Stage) -> None:
    await stage.connect("SHP", warehouses=("JKT", "BDG"))
    await stage.connect("ALL")
    await stage.create()
    for warehouse, pieces in (("JKT", 4), ("BDG", 3), ("SBY", 9)):
        await stage.receive("BTK", pieces, warehouse)
    await stage.deliver()
    assert (await stage.targets(connection="SHP"))["stock:BTK"] == 7
    assert (await stage.targets(connection="ALL"))["stock:BTK"] == 16


async def test_warehouses_are_the_same_whatever_their_case(stage: Stage) -> None:
    await stage.connect("SHP", warehouses=("jkt",))
    await stage.create()
    await stage.receive("BTK", 4, "JKT")
    await stage.deliver()
    assert (await stage.targets())["stock:BTK"] == 4


async def test_a_platforms_own_texts_and_prices_go_before_the_masters(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    override = Override(name="Batik Parang Pria Premium", prices=(("BTK", 249_000),))
    await stage.command(SetPlatformOverride(platform=Platform.SHOPEE, override=override))
    await stage.deliver()
    listing = await stage.listing()
    assert listing.field("title").target == "Batik Parang Pria Premium"
    assert listing.field("price:BTK").target == 249_000


async def test_an_inactive_product_shall_not_be_listed(stage: Stage) -> None:
    await stage.connect()
    await stage.create(status=ProductStatus.INACTIVE)
    await stage.deliver()
    assert (await stage.listing()).field("listed").target is False


async def test_the_same_events_delivered_twice_add_nothing(stage: Stage) -> None:
    await stage.connect()
    await stage.create(variants=sizes("S", "M"))
    await stage.receive("BTK-S", 4)
    events = await stage.stored()
    await stage.hand(stage.desired, events)
    first = await stage.store.read_stream(ORG, "listing-SHP.p1")
    await stage.hand(stage.desired, events)
    assert await stage.store.read_stream(ORG, "listing-SHP.p1") == first
    assert (await stage.targets())["stock:BTK-S"] == 4


async def test_an_older_stock_event_that_comes_again_changes_no_level(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.receive("BTK", 4)
    before = await stage.stored()
    await stage.hand(stage.desired, before)
    await stage.receive("BTK", 5)
    await stage.hand(stage.desired, await stage.stored())
    await stage.hand(stage.desired, before)
    assert (await stage.targets())["stock:BTK"] == 9


async def test_a_new_shop_and_a_new_rule_reach_every_product(stage: Stage) -> None:
    for number in range(7):
        await stage.create(f"p{number}", f"SKU-{number}", base_price=100_000)
        await stage.receive(f"SKU-{number}", number + 1)
    await stage.deliver()
    await stage.connect()
    await stage.deliver()
    assert [await stage.targets(f"p{number}") for number in range(7)] == [
        {f"price:SKU-{number}": 115_000, f"stock:SKU-{number}": number + 1} for number in range(7)
    ]
    change = ChangePricingRule(strategy=Markup(factor=Decimal("1.3")))
    await stage.connections.handle(stage.context(), "SHP", change)
    await stage.deliver()
    assert {(await stage.targets(f"p{number}"))[f"price:SKU-{number}"] for number in range(7)} == {130_000}
    (_, repriced) = await stage.told(DesiredChanged, "p3")
    assert (repriced.cause, repriced.pricing_rule_version) == ("connection.pricing-rule-changed", 2)


@pytest.mark.parametrize("overtaking", ["edit", "stock"])
async def test_what_overtakes_the_walk_of_a_new_rule_is_not_undone_by_it(stage: Stage, overtaking: str) -> None:
    await stage.connect()
    await stage.create(base_price=100_000)
    await stage.receive("BTK", 4)
    await stage.deliver()
    await stage.connections.handle(stage.context(), "SHP", ChangePricingRule(strategy=Markup(factor=Decimal("1.3"))))
    (rule,) = await stage.store.read_stream(ORG, "connection-SHP", after=1)

    class Overtaken(Listings):
        """Between what the walk has read and what it writes, another process handles a newer event whole."""

        overtaken = False

        async def set_desired(self, *args: Any, **more: Any) -> Any:
            if not self.overtaken:
                self.overtaken = True
                if overtaking == "edit":
                    await stage.change(base_price=200_000)
                    newer = await stage.store.read_stream(ORG, "product-p1", after=1)
                else:
                    await stage.receive("BTK", 6)
                    (stock,) = await stage.store.streams_of(ORG, "stock")
                    newer = await stage.store.read_stream(ORG, stock, after=1)
                await stage.hand(stage.desired, newer)
            return await super().set_desired(*args, **more)

    walking = stage.deriving(Overtaken(stage.store, stage.identities))
    await stage.hand(walking, [rule])
    expected = (
        {"price:BTK": 260_000, "stock:BTK": 4} if overtaking == "edit" else {"price:BTK": 130_000, "stock:BTK": 10}
    )
    assert await stage.targets() == expected


async def test_new_categories_let_those_through_that_waited_for_one(stage: Stage) -> None:
    await stage.connect(categories=())
    await stage.create()
    await stage.settle()
    refused = (await stage.listing()).field("listed").refused
    assert refused is not None
    change = ChangeCategories(categories=(("Kemeja", "100047"),))
    await stage.connections.handle(stage.context(), "SHP", change)
    await stage.settle()
    assert (await stage.listing()).field("listed").refused is None
    assert [item.title for item in stage.shop.listings.values()] == ["Kemeja Batik Parang"]


async def test_another_organisations_products_and_shops_stay_out_of_it(stage: Stage) -> None:
    await stage.connect("SHP")
    await stage.connect("OTHER", org_id="toko-lain")
    await stage.create("p1", "BTK")
    await stage.create("p2", "BTK", org_id="toko-lain")
    await stage.deliver()
    assert await stage.store.streams_of(ORG, "listing") == ["listing-SHP.p1"]
    assert await stage.store.streams_of("toko-lain", "listing") == ["listing-OTHER.p2"]


async def test_a_price_that_cannot_be_made_is_held_with_its_reason(stage: Stage) -> None:
    await stage.connect()
    await stage.create(base_price=9_999_999_999)
    await stage.deliver()
    (held,) = await stage.told(PushHeld)
    assert (held.fields, held.code) == (("price:BTK",), "price_unavailable")
    assert "9999999999" in held.reason.replace(".", "").replace(",", "").replace("_", "")
    await stage.change(base_price=199_000)
    await stage.deliver()
    price = (await stage.listing()).field("price:BTK")
    assert (price.target, price.held) == (228_850, None)


async def test_a_price_that_is_cut_to_the_rules_maximum_is_held(stage: Stage) -> None:
    await stage.connect()
    rule = ChangePricingRule(strategy=FeeStack(maximum=150_000))
    await stage.connections.handle(stage.context(), "SHP", rule)
    await stage.create(base_price=199_000)
    await stage.deliver()
    (held,) = await stage.told(PushHeld)
    assert (held.fields, held.code) == (("price:BTK",), "price_clamped")


async def test_a_variant_that_is_gone_is_not_on_sale_any_more(stage: Stage) -> None:
    await stage.connect()
    await stage.create(variants=sizes("S", "M"))
    for sku in ("BTK-S", "BTK-M"):
        await stage.receive(sku, 4)
    await stage.deliver()
    await stage.change(variants=sizes("S"))
    await stage.deliver()
    assert await stage.targets() == {"price:BTK-M": None, "price:BTK-S": 228_850, "stock:BTK-M": 0, "stock:BTK-S": 4}
    (added,) = sizes("L")
    await stage.command(AddVariant(variant=added))
    await stage.deliver()
    assert (await stage.targets())["price:BTK-L"] == 228_850


async def test_listings_are_told_who_caused_it_and_when(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.deliver()
    await stage.change(actor="user:budi", base_price=189_000)
    (cause,) = await stage.store.read_stream(ORG, "product-p1", after=1)
    await stage.deliver()
    wanted = (await stage.store.read_stream(ORG, "listing-SHP.p1"))[-1]
    assert (wanted.actor, wanted.causation_id, wanted.correlation_id) == (
        "user:budi",
        cause.event_id,
        cause.correlation_id,
    )
    (_, change) = await stage.told(DesiredChanged)
    assert (change.changed_by, change.changed_at) == ("user:budi", cause.occurred_at)
