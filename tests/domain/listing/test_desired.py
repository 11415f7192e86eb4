"""What each shop shall show of one product: prices by rule, overrides, stock, and what is held back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from domain.connection.commands import OpenConnection
from domain.connection.decider import CONNECTION
from domain.connection.state import Connection
from domain.listing.desired import desired_values
from domain.policies.price_checks import PriceBounds, PriceGuard
from domain.policies.pricing import FeeStack, Markup, PricingRule, default_rule
from domain.policies.pricing_rule import SHOPEE_FEES
from domain.product.events import Override
from domain.product.state import Product
from domain.values import Dimensions, Image, Option, Platform, ProductStatus, Variant


def shop(platform: Platform, rule: PricingRule | None = None) -> Connection:
    command = OpenConnection(connection_id="X", platform=platform, shop_id="1", label="Toko", pricing_rule=rule)
    state = CONNECTION.fold(CONNECTION.decide(command, CONNECTION.initial))
    assert isinstance(state, Connection)
    return state


BATIK = Product(
    product_id="p1",
    sku="BTK-PRG",
    name="Kemeja Batik Pria Lengan Panjang Motif Parang Katun",
    base_price=199_000,
    description="Katun primisima",
    dimensions=Dimensions(weight_kg=Decimal("0.320")),
    images=(Image("https://images.example/2.jpg"), Image("https://images.example/1.jpg", primary=True)),
    variants=tuple(
        Variant(sku=f"BTK-PRG-{colour[:3].upper()}-{size}", options=(Option("Warna", colour), Option("Ukuran", size)))
        for colour in ("Cokelat", "Hitam")
        for size in ("M", "L", "XL")
    ),
)


@pytest.mark.parametrize(
    ("platform", "price"),
    [
        (Platform.SHOPEE, 228_850),
        (Platform.TIKTOK_SHOP, 238_800),
        (Platform.LAZADA, 238_800),
        (Platform.WEBSITE, 199_000),
    ],
)
def test_one_price_edit_reaches_all_six_variants_of_each_shop(platform: Platform, price: int) -> None:
    shown = desired_values(BATIK, {}, shop(platform))
    prices = {field: value for field, value in shown.values.items() if field.startswith("price:")}
    assert prices == {f"price:{variant.sku}": price for variant in BATIK.variants}
    assert len(prices) == 6
    assert {quote.rule_version for quote in shown.quotes.values()} == {1}
    assert (shown.holds, shown.warnings) == ((), ())


@pytest.mark.parametrize(("base", "markup", "stacked"), [(17_990, 20_689, 21_288), (150_000, 172_500, 177_503)])
def test_the_strategy_decides_the_last_rupiah(base: int, markup: int, stacked: int) -> None:
    product = Product(product_id="p", sku="A", name="x", base_price=base)
    stack = PricingRule(rule_id="default-shopee", version=2, strategy=FeeStack(), fees=SHOPEE_FEES)
    assert desired_values(product, {}, shop(Platform.SHOPEE)).values["price:A"] == markup
    assert desired_values(product, {}, shop(Platform.SHOPEE, stack)).values["price:A"] == stacked


def test_a_price_under_the_minimum_of_a_fee_stack_is_shown_with_a_warning() -> None:
    sticker = Product(product_id="p", sku="STK-PIN", name="Stiker Pin Lucu", base_price=500)
    shown = desired_values(sticker, {"STK-PIN": 100}, shop(Platform.SHOPEE))
    assert shown.values["price:STK-PIN"] == 575
    assert [warning.code for warning in shown.warnings] == ["price_under_fee_stack_minimum"]
    assert shown.holds == ()


def test_content_comes_from_the_master_with_the_primary_image_first() -> None:
    values = desired_values(BATIK, {"BTK-PRG-COK-L": 3, "BTK-PRG-HIT-L": -2}, shop(Platform.SHOPEE)).values
    assert values["title"] == BATIK.name
    assert values["description"] == "Katun primisima"
    assert values["images"] == ("https://images.example/1.jpg", "https://images.example/2.jpg")
    assert (values["weight"], values["listed"]) == (320, True)
    assert (values["stock:BTK-PRG-COK-L"], values["stock:BTK-PRG-HIT-L"]) == (3, 0)
    assert values["stock:BTK-PRG-COK-M"] == 0


def test_an_override_holds_for_its_platform_alone() -> None:
    override = Override(name="Batik Pria", description="Lain", prices=(("BTK-PRG-COK-L", 250_000),))
    product = BATIK.with_override(Platform.SHOPEE, override)
    there = desired_values(product, {}, shop(Platform.SHOPEE))
    assert (there.values["title"], there.values["description"]) == ("Batik Pria", "Lain")
    assert (there.values["price:BTK-PRG-COK-L"], there.values["price:BTK-PRG-COK-M"]) == (250_000, 228_850)
    assert "BTK-PRG-COK-L" not in there.quotes
    elsewhere = desired_values(product, {}, shop(Platform.TIKTOK_SHOP))
    assert (elsewhere.values["title"], elsewhere.values["price:BTK-PRG-COK-L"]) == (BATIK.name, 238_800)


@pytest.mark.parametrize("status", [ProductStatus.INACTIVE, ProductStatus.ARCHIVED])
def test_what_is_not_active_is_not_listed(status: ProductStatus) -> None:
    assert desired_values(replace(BATIK, status=status), {}, shop(Platform.SHOPEE)).values["listed"] is False


def test_an_unknown_weight_is_no_wish() -> None:
    product = replace(BATIK, dimensions=Dimensions())
    assert "weight" not in desired_values(product, {}, shop(Platform.SHOPEE)).values


def test_a_price_that_cannot_be_made_is_held_and_the_rest_is_shown() -> None:
    dear = replace(BATIK, base_price=9_999_999_999)
    shown = desired_values(dear, {}, shop(Platform.SHOPEE))
    assert {hold.code for hold in shown.holds} == {"price_unavailable"}
    assert len(shown.holds) == 6
    assert not any(field.startswith("price:") for field in shown.values)
    assert shown.values["title"] == BATIK.name


def test_a_price_cut_to_the_maximum_waits_for_a_person() -> None:
    stack = PricingRule(rule_id="r", version=1, strategy=FeeStack(), fees=SHOPEE_FEES)
    product = Product(product_id="p", sku="A", name="x", base_price=90_000_000)
    shown = desired_values(product, {}, shop(Platform.SHOPEE, stack))
    assert shown.values["price:A"] == 100_000_000
    assert [(hold.field, hold.code) for hold in shown.holds] == [("price:A", "price_clamped")]


def test_a_guard_and_a_bound_of_the_platform_hold_prices_back() -> None:
    limits = PriceGuard(max_change_percent=Decimal(20))
    product = Product(product_id="p", sku="A", name="x", base_price=100_000)
    shown = desired_values(product, {}, shop(Platform.WEBSITE), limits=limits, previous={"A": 50_000})
    assert [hold.code for hold in shown.holds] == ["price_guarded"]
    bounds = PriceBounds(maximum=90_000, warn_below=2_000)
    held = desired_values(product, {}, shop(Platform.WEBSITE), bounds=bounds)
    assert [hold.code for hold in held.holds] == ["price_not_allowed"]
    cheap = desired_values(replace(product, base_price=1_500), {}, shop(Platform.WEBSITE), bounds=bounds)
    assert [warning.code for warning in cheap.warnings] == ["price_unusually_low"]


def test_too_wide_a_spread_between_variants_holds_all_of_them() -> None:
    variants = (
        Variant(sku="A-1", options=(Option("Isi", "1"),), base_price=1_000),
        Variant(sku="A-8", options=(Option("Isi", "8"),), base_price=8_000),
    )
    product = Product(product_id="p", sku="A", name="x", base_price=1_000, variants=variants)
    rule = PricingRule(rule_id="r", version=1, strategy=Markup(factor=Decimal(1)))
    shown = desired_values(product, {}, shop(Platform.SHOPEE, rule), bounds=PriceBounds(max_variant_ratio=7))
    assert {hold.field for hold in shown.holds} == {"price:A-1", "price:A-8"}


def test_a_shop_that_takes_fewer_pictures_shows_the_first_of_them_and_it_is_said() -> None:
    addresses = [f"https://images.example/{number}.jpg" for number in range(12)]
    pictures = tuple(Image(address, primary=address == addresses[10]) for address in addresses)
    shown = desired_values(replace(BATIK, images=pictures), {}, shop(Platform.SHOPEE), images_max=9)
    assert shown.values["images"] == (addresses[10], *addresses[:8])
    assert [(warned.field, warned.code, warned.message) for warned in shown.warnings] == [
        ("images", "images_left_out", "the shop takes 9 pictures: 3 of the product's 12 are not shown there")
    ]
    nine = desired_values(replace(BATIK, images=pictures[:9]), {}, shop(Platform.SHOPEE), images_max=9)
    assert (len(nine.values["images"]), nine.warnings) == (9, ())  # type: ignore[arg-type]  # pictures are several
    assert len(desired_values(replace(BATIK, images=pictures), {}, shop(Platform.SHOPEE)).values["images"]) == 12  # type: ignore[arg-type]  # likewise


def test_every_platform_has_a_rule_to_start_with() -> None:
    assert {platform: shop(platform).pricing_rule for platform in Platform} == {p: default_rule(p) for p in Platform}
