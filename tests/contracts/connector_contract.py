"""What every connector promises. A platform's test subclasses `ConnectorContract` and gives it a shop to act in."""

from decimal import Decimal
from typing import Protocol

import pytest

from domain.policies.retry import ErrorClass
from domain.values import Image, Option
from infrastructure.platforms.connector import (
    Connector,
    ContentChange,
    Created,
    DraftVariant,
    ExternalListing,
    ListedVariant,
    ListingDraft,
    ListingStatus,
    PlatformCallFailed,
    PriceChange,
    PushResult,
    RowAccepted,
    StockChange,
)


class ShopHands(Protocol):
    """What people do at the shop, and the connector that looks on."""

    connector: Connector

    def seed(self, count: int) -> None: ...

    def lock(self, external_id: str, sku: str, field: str) -> None: ...

    def reserve(self, external_id: str, sku: str, quantity: int) -> None: ...

    def change_price(self, external_id: str, sku: str, price: int) -> None: ...

    def delete(self, external_id: str) -> None: ...

    def throttle_next(self) -> None: ...

    def rest(self, seconds: float) -> None: ...


def draft(sku: str = "BTK-PRG", *, with_variants: bool = True) -> ListingDraft:
    variants: tuple[DraftVariant, ...] = (DraftVariant(sku=sku, price=85_000, stock=11),)
    if with_variants:
        variants = tuple(
            DraftVariant(
                sku=f"{sku}-{colour[:3].upper()}-{size}",
                options=(Option("Warna", colour), Option("Ukuran", size)),
                price=189_000 + 1_000 * number,
                stock=20 + number,
            )
            for number, (colour, size) in enumerate(
                [("Cokelat", "M"), ("Cokelat", "L"), ("Hitam", "M"), ("Hitam", "XL")]
            )
        )
    return ListingDraft(
        sku=sku,
        title="Kemeja Batik Pria Lengan Panjang Motif Parang Katun",
        description="Batik tulis dengan pewarna alami, nyaman dipakai seharian.",
        category_id="100017",
        weight_kg=Decimal("0.300"),
        images=(Image("https://images.example/2.jpg"), Image("https://images.example/1.jpg", primary=True)),
        variants=variants,
    )


async def read(shop: ShopHands, external_id: str) -> ExternalListing:
    (listing,) = await shop.connector.read_listings((external_id,))
    return listing


def variant_of(listing: ExternalListing, sku: str) -> ListedVariant:
    (variant,) = [variant for variant in listing.variants if variant.sku == sku]
    return variant


def price_rows(created: Created, price: int) -> tuple[PriceChange, ...]:
    return tuple(PriceChange(external_id, sku, price) for sku, external_id in created.variants.items())


def stock_rows(created: Created, stock: int) -> tuple[StockChange, ...]:
    return tuple(StockChange(external_id, sku, stock) for sku, external_id in created.variants.items())


def fates(result: PushResult) -> dict[str | None, ErrorClass | None]:
    return {row.sku: None for row in result.accepted} | {row.sku: row.error.error_class for row in result.refused}


class ConnectorContract:
    async def test_a_created_listing_reads_back_as_drafted(self, shop: ShopHands) -> None:
        wanted = draft()
        created = await shop.connector.create(wanted, "key")
        listing = await read(shop, created.external_id)
        assert not created.found
        assert (listing.title, listing.description, listing.status) == (
            wanted.title,
            wanted.description,
            ListingStatus.LIVE,
        )
        assert (listing.weight_kg, listing.category_id, len(listing.images)) == (wanted.weight_kg, "100017", 2)
        assert {(v.sku, v.options, v.price, v.stock, v.reserved) for v in listing.variants} == {
            (v.sku, v.options, v.price, v.stock, 0) for v in wanted.variants
        }
        assert created.variants == {v.sku: v.external_id for v in listing.variants}
        assert None not in created.variants.values()

    async def test_a_listing_without_variants_has_no_variant_id(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft("KOPI-GYO-250", with_variants=False), "key")
        assert created.variants == {"KOPI-GYO-250": None}
        (variant,) = (await read(shop, created.external_id)).variants
        assert (variant.external_id, variant.sku, variant.price, variant.stock) == (None, "KOPI-GYO-250", 85_000, 11)

    async def test_a_listing_is_found_by_exactly_its_skus(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        for sku in ("BTK-PRG", *created.variants):
            assert await shop.connector.find_by_sku(sku) == (created.external_id,)
        assert await shop.connector.find_by_sku("BTK") == ()

    async def test_creating_again_takes_up_what_is_there(self, shop: ShopHands) -> None:
        first = await shop.connector.create(draft(), "key")
        again = await shop.connector.create(draft(), "another key")
        assert again.found
        assert (again.external_id, again.variants) == (first.external_id, first.variants)

    async def test_prices_are_taken_row_by_row_with_proof(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        result = await shop.connector.update_prices(created.external_id, price_rows(created, 217_350))
        assert set(result.accepted) == {
            RowAccepted(sku=sku, field="price", value_now=217_350) for sku in created.variants
        }
        assert result.refused == ()
        assert {v.price for v in (await read(shop, created.external_id)).variants} == {217_350}

    async def test_an_unknown_variant_is_refused_and_the_others_are_taken(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        rows = (*stock_rows(created, 5), StockChange("999999999999", "GHOST", 5))
        result = await shop.connector.update_stock(created.external_id, rows)
        assert fates(result) == {**dict.fromkeys(created.variants), "GHOST": ErrorClass.MISSING}

    @pytest.mark.parametrize("field", ["price", "stock"])
    async def test_a_promotion_holds_one_variant_while_the_others_are_taken(self, shop: ShopHands, field: str) -> None:
        created = await shop.connector.create(draft(), "key")
        held = next(iter(created.variants))
        shop.lock(created.external_id, held, field)
        if field == "price":
            result = await shop.connector.update_prices(created.external_id, price_rows(created, 200_000))
        else:
            result = await shop.connector.update_stock(created.external_id, stock_rows(created, 7))
        assert fates(result) == {**dict.fromkeys(created.variants), held: ErrorClass.LOCKED}

    async def test_a_call_that_a_promotion_refuses_altogether_fails_as_locked(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft("KOPI", with_variants=False), "key")
        shop.lock(created.external_id, "KOPI", "price")
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_prices(created.external_id, price_rows(created, 90_000))
        assert failure.value.error.error_class is ErrorClass.LOCKED
        assert failure.value.error.hint == "promotion_locks_price"

    async def test_stock_below_what_is_reserved_is_refused(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft("KOPI", with_variants=False), "key")
        shop.reserve(created.external_id, "KOPI", 3)
        assert (await read(shop, created.external_id)).variants[0].reserved == 3
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_stock(created.external_id, stock_rows(created, 2))
        assert failure.value.error.error_class is ErrorClass.VALID
        assert failure.value.error.hint == "stock_below_reserved"

    async def test_a_price_more_than_seven_times_another_is_refused(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        row = price_rows(created, 2_000_000)[0]
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_prices(created.external_id, (row,))
        assert failure.value.error.error_class is ErrorClass.VALID
        assert failure.value.error.hint == "price_spread"

    async def test_content_is_changed_field_by_field_with_proof(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        change = ContentChange(title="Kemeja Batik Pria Parang Premium Adem", weight_kg=Decimal("0.35"))
        result = await shop.connector.update_content(created.external_id, change)
        assert {(row.field, row.value_now) for row in result.accepted} == {("title", change.title), ("weight", "0.35")}
        assert result.refused == ()
        listing = await read(shop, created.external_id)
        assert (listing.title, listing.weight_kg) == (change.title, change.weight_kg)
        assert listing.description == draft().description

    async def test_pictures_can_be_replaced(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        images = (Image("https://images.example/3.jpg"),)
        result = await shop.connector.update_content(created.external_id, ContentChange(images=images))
        assert result.accepted == (RowAccepted(sku=None, field="images", value_now=(images[0].url,)),)
        assert len((await read(shop, created.external_id)).images) == 1

    async def test_changing_nothing_calls_nothing_and_proves_nothing(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        assert await shop.connector.update_content(created.external_id, ContentChange()) == PushResult()

    async def test_a_title_that_is_too_short_is_refused(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_content(created.external_id, ContentChange(title="Bat"))
        assert failure.value.error.hint == "title_refused"

    async def test_a_listing_can_be_taken_off_sale_and_put_back(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        off = await shop.connector.set_listed(created.external_id, listed=False)
        assert off.accepted == (RowAccepted(sku=None, field="listed", value_now=False),)
        assert (await read(shop, created.external_id)).status is ListingStatus.UNLISTED
        await shop.connector.set_listed(created.external_id, listed=True)
        assert (await read(shop, created.external_id)).status is ListingStatus.LIVE

    async def test_paging_meets_every_listing_once(self, shop: ShopHands) -> None:
        shop.seed(230)
        seen: list[str] = []
        cursor = None
        while True:
            page = await shop.connector.list_listings(cursor)
            seen += [item.external_id for item in page.items]
            assert page.total == 230
            cursor = page.next_cursor
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == 230
        assert len(await shop.connector.read_listings(tuple(seen))) == 230

    async def test_a_listing_that_is_gone_is_missing(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        shop.delete(created.external_id)
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_stock(created.external_id, stock_rows(created, 1))
        assert failure.value.error.error_class is ErrorClass.MISSING
        assert await shop.connector.find_by_sku("BTK-PRG") == ()
        assert await shop.connector.read_listings(("999999999999",)) == ()

    async def test_an_edit_at_the_shop_is_seen(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        sku = next(iter(created.variants))
        shop.change_price(created.external_id, sku, 210_000)
        assert variant_of(await read(shop, created.external_id), sku).price == 210_000

    async def test_a_throttled_call_says_how_long_to_rest(self, shop: ShopHands) -> None:
        created = await shop.connector.create(draft(), "key")
        shop.throttle_next()
        with pytest.raises(PlatformCallFailed) as failure:
            await shop.connector.update_prices(created.external_id, price_rows(created, 200_000))
        assert failure.value.error.error_class is ErrorClass.RATE
        assert failure.value.error.retry_after == 60.0
        shop.rest(failure.value.error.retry_after)
        assert variant_of(await read(shop, created.external_id), next(iter(created.variants))).price == 189_000
