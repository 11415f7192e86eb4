"""A listing's turn at a shop that answers: made once, proven by reading back, and only what differs is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

from domain.connection.commands import PauseConnection, ResumeConnection
from domain.listing.commands import PauseListing, ResumeListing, SetDesired
from domain.listing.events import (
    ConflictDetected,
    DriftFound,
    FieldGroup,
    ListingLinked,
    PushConfirmed,
    PushRefused,
    ShadowObserved,
)
from domain.listing.state import Linked
from domain.listing.status import Status, statuses
from domain.product.commands import AddVariant, ArchiveProduct, ReplaceVariants, RestoreProduct, SetPlatformOverride
from domain.product.events import Override
from domain.values import Dimensions, Image, Platform
from infrastructure.platforms.connector import ExternalListing, ListedVariant, ListingStatus
from services.consumers.pusher import Pusher
from tests.services.consumers.stage import COMPLETE, Stage, sizes

SIX = sizes("XS", "S", "M", "L", "XL", "XXL")


def at_the_shop(*variants: ListedVariant, title: str = "Judul toko") -> ExternalListing:
    return ExternalListing(
        external_id="900",
        sku="BTK",
        title=title,
        description="Deskripsi yang sudah ada di toko itu.",
        status=ListingStatus.LIVE,
        images=(),
        weight_kg=Decimal("0.3"),
        category_id="100011",
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        variants=variants,
    )


async def test_a_new_item_is_made_once_with_all_its_variants_and_counts_for_what_it_shows(stage: Stage) -> None:
    item = await stage.listed(variants=SIX)
    await stage.push()
    shown = stage.shop.listings[item]
    assert {variant.sku: (variant.price, variant.stock) for variant in shown.variants} == {
        variant.sku: (228_850, 4) for variant in SIX
    }
    assert (shown.title, shown.weight_kg, shown.category_id) == ("Kemeja Batik Parang", Decimal("0.3"), "100011")
    listing = await stage.listing()
    assert isinstance(listing.link, Linked)
    assert listing.link.external_id == item
    assert all(field.agrees and field.confirmed is not None for field in listing.fields.values())
    assert [linked.created for linked in await stage.told(ListingLinked)] == [True]
    assert len(await stage.told(PushConfirmed)) == 1
    assert await stage.queued() == []


async def test_what_the_new_item_does_not_show_is_not_confirmed_but_sent(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.receive("BTK", 4)
    await stage.deliver()
    called = stage.shop.called

    def forgets_the_stock(name: str) -> None:
        called(name)
        if name == "read_listings" and stage.shop.calls.count(name) == 1:
            stage.shop.change_variant("1", "BTK", stock=0)

    stage.shop.called = forgets_the_stock  # type: ignore[method-assign]  # a shop that takes less than it was given
    await stage.settle()
    assert stage.shop.calls == ["create", "read_listings", "update_stock"]
    first, second = await stage.told(PushConfirmed)
    assert "stock:BTK" not in {change.field for change in first.changes}
    assert [(change.field, change.new) for change in second.changes] == [("stock:BTK", 4)]


async def test_an_item_that_is_there_already_is_linked_and_observed_and_not_made_again(stage: Stage) -> None:
    stage.shop.put(at_the_shop(ListedVariant(external_id=None, sku="BTK", price=300_000, stock=1)))
    await stage.connect()
    await stage.create()
    await stage.receive("BTK", 4)
    await stage.settle()
    assert set(stage.shop.listings) == {"900"}
    (linked,) = await stage.told(ListingLinked)
    assert (linked.external_id, linked.created, linked.reason) == ("900", False, "found at the shop by its SKU")
    (seen,) = await stage.told(ShadowObserved)
    assert (seen.source, {change.field: change.new for change in seen.changes}["price:BTK"]) == ("import", 300_000)
    shown = stage.shop.listings["900"]
    assert (shown.title, shown.variants[0].price, shown.variants[0].stock) == ("Kemeja Batik Parang", 228_850, 4)
    assert (await stage.told(ConflictDetected), await stage.told(DriftFound)) == ([], [])


async def test_only_what_differs_is_sent(stage: Stage) -> None:
    item = await stage.listed(variants=sizes("S", "M"))
    await stage.receive("BTK-M", 3)
    await stage.settle()
    assert stage.shop.calls == ["update_stock"]
    assert {variant.sku: variant.stock for variant in stage.shop.listings[item].variants} == {"BTK-S": 4, "BTK-M": 7}
    confirmed = (await stage.told(PushConfirmed))[-1]
    assert [(change.field, change.old, change.new) for change in confirmed.changes] == [("stock:BTK-M", 4, 7)]
    stage.shop.calls.clear()
    await stage.change(name="Kemeja Batik Kawung", dimensions=Dimensions(weight_kg=Decimal("0.45")))
    await stage.settle()
    assert stage.shop.calls == ["read_listings", "update_content"]
    shown = stage.shop.listings[item]
    assert (shown.title, shown.weight_kg) == ("Kemeja Batik Kawung", Decimal("0.45"))


async def test_stock_goes_before_prices_and_prices_before_texts(stage: Stage) -> None:
    await stage.listed()
    await stage.change(name="Kemeja Batik Kawung", base_price=150_000)
    await stage.receive("BTK", 1)
    await stage.settle()
    assert stage.shop.calls == ["read_listings", "update_stock", "update_prices", "update_content"]


async def test_ten_edits_before_the_turn_are_one_push_and_nine_are_recorded_as_skipped(stage: Stage) -> None:
    item = await stage.listed()
    for edit in range(1, 11):
        await stage.change(base_price=200_000 + edit * 1_000)
        await stage.deliver()
    await stage.push()
    assert stage.shop.calls == ["update_prices"]
    assert stage.shop.listings[item].variants[0].price == 241_500
    confirmed = (await stage.told(PushConfirmed))[-1]
    assert (confirmed.skipped, [change.new for change in confirmed.changes]) == (9, [241_500])


async def test_an_edit_that_is_taken_back_before_the_turn_sends_nothing(stage: Stage) -> None:
    await stage.listed()
    await stage.change(base_price=210_000)
    await stage.change(base_price=199_000)
    await stage.settle()
    assert stage.shop.calls == []
    assert await stage.queued() == []


async def test_five_of_six_variants_are_confirmed_and_the_sixth_is_refused_with_its_reason(stage: Stage) -> None:
    item = await stage.listed(variants=SIX, stock=9)
    stage.shop.reserve(item, "BTK-XL", 8)
    for variant in SIX:
        await stage.stock.adjust(stage.context(), variant.sku, "JKT", -4)
    await stage.settle()
    confirmed = (await stage.told(PushConfirmed))[-1]
    assert {change.field for change in confirmed.changes} == {
        f"stock:{variant.sku}" for variant in SIX if variant.sku != "BTK-XL"
    }
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.code, refused.message) == (
        ("stock:BTK-XL",),
        "stock_below_reserved",
        "stock below reserved",
    )
    assert statuses(await stage.listing())[FieldGroup.STOCK].status is Status.PARTIAL


@pytest.mark.parametrize(
    ("lacking", "field"),
    [
        ({"dimensions": Dimensions()}, "weight"),
        ({"images": ()}, "images"),
        ({"description": "Pendek"}, "description"),
        ({"name": "Btk"}, "title"),
        ({"category": "Topi"}, "listed"),
    ],
)
async def test_a_product_that_lacks_something_is_refused_by_name_and_goes_when_it_is_corrected(
    stage: Stage, lacking: dict[str, Any], field: str
) -> None:
    await stage.connect(categories=(("Kemeja", "100011"),))
    await stage.create(**lacking)
    await stage.settle()
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.code) == ((field,), "category_unknown" if field == "listed" else "not_ready")
    assert refused.message
    assert (stage.shop.listings, await stage.queued()) == ({}, [])
    whole = COMPLETE | {"name": "Kemeja Batik Parang"}
    await stage.change(**{name: whole[name] for name in lacking})
    await stage.settle()
    assert len(stage.shop.listings) == 1
    assert {group.status for group in statuses(await stage.listing()).values()} == {Status.SYNCED}


async def test_an_archived_product_is_taken_off_and_comes_back_when_restored(stage: Stage) -> None:
    item = await stage.listed()
    await stage.command(ArchiveProduct(reason="sold out for good"))
    await stage.settle()
    assert stage.shop.listings[item].status is ListingStatus.UNLISTED
    assert stage.shop.calls == ["set_listed"]
    await stage.command(RestoreProduct())
    await stage.settle()
    assert stage.shop.listings[item].status is ListingStatus.LIVE


async def test_an_archived_product_that_was_never_there_is_not_made(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.command(ArchiveProduct())
    await stage.settle()
    assert stage.shop.calls == []


async def test_a_variant_that_the_item_does_not_have_is_refused_until_it_is_there(stage: Stage) -> None:
    item = await stage.listed(variants=sizes("S", "M"))
    (large,) = sizes("L")
    await stage.command(AddVariant(variant=large))
    await stage.settle()
    refused = {field: event for event in await stage.told(PushRefused) for field in event.fields}
    assert set(refused) == {"price:BTK-L", "stock:BTK-L"}
    assert {event.code for event in refused.values()} == {"variant_not_at_shop"}
    assert {variant.sku for variant in stage.shop.listings[item].variants} == {"BTK-S", "BTK-M"}
    assert await stage.queued() == []


async def test_a_price_that_is_no_number_is_refused_and_the_rest_goes(stage: Stage) -> None:
    item = await stage.listed(variants=sizes("S", "M"))
    wanted = {name: field.target for name, field in (await stage.listing()).fields.items()}
    wanted |= {"price:BTK-S": "mahal", "price:BTK-M": 231_000}
    await stage.tell(SetDesired(values=wanted, cause="test", at=stage.clock.now(), by="user:rina"))
    await stage.settle()
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.code) == (("price:BTK-S",), "not_a_number")
    assert [variant.price for variant in stage.shop.listings[item].variants] == [228_850, 231_000]
    assert await stage.queued() == []


async def test_nothing_is_sent_while_the_listing_is_paused_and_afterwards_only_the_latest(stage: Stage) -> None:
    item = await stage.listed()
    await stage.tell(PauseListing(reason="checking the pictures"))
    for price in (150_000, 160_000, 170_000):
        await stage.change(base_price=price)
        await stage.settle()
    assert stage.shop.calls == []
    await stage.tell(ResumeListing(reason="checked"))
    await stage.settle()
    assert stage.shop.calls == ["update_prices"]
    assert stage.shop.listings[item].variants[0].price == 195_500


async def test_nothing_is_sent_while_the_connection_is_paused_and_afterwards_only_the_latest(stage: Stage) -> None:
    item = await stage.listed()
    await stage.connections.handle(stage.context(), "SHP", PauseConnection(reason="holiday"))
    for price in (150_000, 160_000, 170_000):
        await stage.change(base_price=price)
        await stage.deliver()
    await stage.push()
    assert stage.shop.calls == []
    assert len(await stage.due()) == 1
    await stage.connections.handle(stage.context(), "SHP", ResumeConnection(reason="back"))
    await stage.settle()
    assert stage.shop.calls == ["update_prices"]
    assert stage.shop.listings[item].variants[0].price == 195_500


async def test_a_push_names_the_edit_that_caused_it(stage: Stage) -> None:
    await stage.listed()
    await stage.change(base_price=150_000)
    (edit,) = await stage.store.read_stream("toko-batik", "product-p1", after=1)
    await stage.settle()
    pushed = (await stage.store.read_stream("toko-batik", "listing-SHP.p1"))[-1]
    assert (pushed.type, pushed.actor) == ("listing.push-confirmed", "system:push")
    assert pushed.correlation_id == edit.correlation_id


async def test_a_picture_that_is_replaced_is_sent_in_order(stage: Stage) -> None:
    item = await stage.listed()
    first, second = (Image(f"https://images.example/{number}.jpg") for number in (7, 8))
    await stage.change(images=(first, replace_primary(second)))
    await stage.settle()
    assert stage.shop.listings[item].images == ("https://images.example/8.jpg", "https://images.example/7.jpg")


async def test_of_more_pictures_than_the_shop_takes_the_same_are_sent_at_first_and_later_and_it_is_told(
    stage: Stage,
) -> None:
    many = tuple(Image(f"https://images.example/{number}.jpg", primary=number == 11) for number in range(12))
    await stage.connect()
    await stage.create(images=many)
    await stage.receive("BTK", 4)
    with structlog.testing.capture_logs() as logs:
        await stage.settle()
    (item,) = stage.shop.listings
    first = ("https://images.example/11.jpg", *(image.url for image in many[:8]))
    assert stage.shop.listings[item].images == first
    field = (await stage.listing()).field("images")
    assert field.confirmed is not None
    assert (field.confirmed.value, field.agrees) == (first, True)
    assert [log["reason"] for log in logs if log["event"] == "images_left_out"] == [
        "the shop takes 9 pictures: 3 of the product's 12 are not shown there"
    ]
    stage.shop.calls.clear()
    await stage.change(images=(*many, Image("https://images.example/one-more.jpg")))
    await stage.settle()
    assert stage.shop.calls == []
    await stage.change(images=many[1:])
    await stage.settle()
    assert stage.shop.listings[item].images == ("https://images.example/11.jpg", *(image.url for image in many[1:9]))
    assert await stage.told(PushRefused) == []
    assert (await stage.listing()).field("images").agrees


def replace_primary(image: Image) -> Image:
    return Image(image.url, image.alt, primary=True)


async def test_a_sku_that_is_written_otherwise_is_the_same_variant_at_the_shop(stage: Stage) -> None:
    item = await stage.listed(variants=sizes("S", "M"))
    override = Override(prices=(("btk-s", 250_000),))
    await stage.command(SetPlatformOverride(platform=Platform.SHOPEE, override=override))
    await stage.settle()
    stage.shop.calls.clear()
    small, medium = sizes("S", "M")
    await stage.command(ReplaceVariants(variants=(replace(small, sku="btk-s"), medium)))
    await stage.settle()
    assert stage.shop.calls == []
    await stage.receive("BTK-S", 3)
    await stage.settle()
    assert stage.shop.calls == ["update_stock"]
    shown = {variant.sku: (variant.price, variant.stock) for variant in stage.shop.listings[item].variants}
    assert shown == {"BTK-S": (250_000, 7), "BTK-M": (228_850, 4)}
    assert await stage.told(PushRefused) == []


async def test_an_item_that_is_there_under_the_sku_in_another_case_is_not_made_again(stage: Stage) -> None:
    stage.shop.put(at_the_shop(ListedVariant(external_id=None, sku="btk", price=300_000, stock=1)))
    await stage.connect()
    await stage.create()
    await stage.receive("BTK", 4)
    await stage.settle()
    assert set(stage.shop.listings) == {"900"}
    assert (stage.shop.listings["900"].variants[0].price, stage.shop.listings["900"].variants[0].stock) == (228_850, 4)


async def test_a_product_whose_sku_was_written_otherwise_before_it_was_listed_is_made_with_its_values(
    stage: Stage,
) -> None:
    await stage.connect()
    await stage.create(variants=sizes("S", "M"))
    await stage.deliver()
    await stage.command(ReplaceVariants(variants=tuple(replace(v, sku=v.sku.lower()) for v in sizes("S", "M"))))
    await stage.receive("btk-s", 2)
    await stage.settle()
    (shown,) = stage.shop.listings.values()
    assert {v.sku: (v.price, v.stock) for v in shown.variants} == {"BTK-S": (228_850, 2), "BTK-M": (228_850, 0)}


async def test_a_turn_with_nothing_to_do_asks_for_no_other(stage: Stage) -> None:
    await stage.listed()
    await stage.change(base_price=150_000)
    await stage.deliver()
    (item,) = await stage.due()
    shop = await stage.connection()
    assert isinstance(stage.pusher, Pusher)
    first = await stage.pusher.take_turn(stage.connector, shop, "toko-batik", item)
    again = await stage.pusher.take_turn(stage.connector, shop, "toko-batik", item)
    assert (first.again_at, again.again_at) == (None, None)
    assert stage.shop.calls == ["update_prices"]
