"""A product: created, changed where something differs, archived and restored; what may not be is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from domain.errors import Refusal
from domain.messages import Claim
from domain.product import events, limits
from domain.product.commands import (
    AddVariant,
    ArchiveProduct,
    ChangeProduct,
    ChangeVariant,
    CreateProduct,
    ProductCommand,
    RemoveVariant,
    ReplaceVariants,
    RestoreProduct,
    SetPlatformOverride,
)
from domain.product.decider import (
    PRODUCT,
    ArchivedProduct,
    NoSuchProduct,
    ProductExists,
    StatusNotSettable,
    claims_of,
)
from domain.product.events import Override, ProductEvent
from domain.product.state import Product, ProductState
from domain.product.variants import OverrideOfUnknownSku, UnknownVariant
from domain.values import MAX_PRICE, Dimensions, Image, Option, Platform, ProductStatus, Variant
from tests.support.scenario import Scenario, scenario

M = Variant(sku="BTK-M", options=(Option("Ukuran", "M"),))
L = Variant(sku="BTK-L", options=(Option("Ukuran", "L"),), base_price=195_000)
XL = Variant(sku="BTK-XL", options=(Option("Ukuran", "XL"),))

Products = Scenario[ProductCommand, ProductState, ProductEvent]


def create(**more: object) -> CreateProduct:
    given = {"product_id": "p1", "sku": "BTK", "name": "Kemeja Batik", "base_price": 189_000, **more}
    return CreateProduct(**given)  # type: ignore[arg-type]  # fields by name


def product(*commands: ProductCommand) -> Products:
    return scenario(PRODUCT).after(create(variants=(M, L)), *commands)


def skus(state: ProductState) -> list[str]:
    assert isinstance(state, Product)
    return [variant.sku for variant in state.variants]


def test_a_product_is_created_with_all_that_was_said() -> None:
    scenario(PRODUCT).when(create(variants=(M, L), tags=("batik",))).then(
        events.ProductCreated(
            product_id="p1", sku="BTK", name="Kemeja Batik", base_price=189_000, variants=(M, L), tags=("batik",)
        )
    )


def test_creating_the_same_again_is_nothing_and_another_is_refused() -> None:
    product().when(create(variants=(M, L))).nothing()
    product().when(create(name="Another")).refused(ProductExists)


@pytest.mark.parametrize(
    "command", [ChangeProduct(name="x"), ArchiveProduct(), RestoreProduct(), RemoveVariant(sku="x")]
)
def test_nothing_can_be_asked_of_a_product_that_is_not_there(command: ProductCommand) -> None:
    scenario(PRODUCT).when(command).refused(NoSuchProduct)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ChangeProduct(name="Batik"), [events.ProductRenamed(old="Kemeja Batik", new="Batik")]),
        (ChangeProduct(base_price=199_000), [events.BasePriceChanged(old=189_000, new=199_000)]),
        (ChangeProduct(cost_price=121_000), [events.CostPriceChanged(old=None, new=121_000)]),
        (
            ChangeProduct(description="Katun"),
            [events.ProductDescribed(old=events.Texts(), new=events.Texts(description="Katun"))],
        ),
        (
            ChangeProduct(category="Fashion"),
            [events.ProductCategorised(old=events.Shelf(), new=events.Shelf(category="Fashion"))],
        ),
        (
            ChangeProduct(dimensions=Dimensions(weight_kg=Decimal("0.32"))),
            [events.DimensionsChanged(old=Dimensions(), new=Dimensions(weight_kg=Decimal("0.32")))],
        ),
        (ChangeProduct(tags=("batik",)), [events.ProductTagged(old=(), new=("batik",))]),
        (
            ChangeProduct(images=(Image("https://x.example/1.jpg"),)),
            [events.ImagesChanged(old=(), new=(Image("https://x.example/1.jpg"),))],
        ),
        (ChangeProduct(status=ProductStatus.INACTIVE), [events.ProductDeactivated(old=ProductStatus.ACTIVE)]),
        (ChangeProduct(variants=(M,)), [events.VariantRemoved(variant=L)]),
        (ChangeProduct(variants=(M, L)), []),
        (ChangeProduct(status=ProductStatus.ACTIVE), []),
        (ChangeProduct(), []),
        (ChangeProduct(name="Kemeja Batik", base_price=189_000, cost_price=None, tags=(), description=""), []),
    ],
)
def test_only_what_differs_is_told_with_old_and_new(change: ChangeProduct, expected: Sequence[ProductEvent]) -> None:
    product().when(change).then(*expected)
    product(change).when(change).nothing()


def test_a_cost_can_be_forgotten_again() -> None:
    product(ChangeProduct(cost_price=5)).when(ChangeProduct(cost_price=None)).then(
        events.CostPriceChanged(old=5, new=None)
    )


def test_the_same_measure_with_more_zeros_is_no_change() -> None:
    kept = product(ChangeProduct(dimensions=Dimensions(weight_kg=Decimal("0.5"))))
    kept.when(ChangeProduct(dimensions=Dimensions(weight_kg=Decimal("0.500")))).nothing()


def test_nothing_changes_once_archived_until_restored() -> None:
    inactive = product(ChangeProduct(status=ProductStatus.INACTIVE))
    archived = inactive.after(ArchiveProduct(reason="sold out"))
    archived.when(ArchiveProduct()).nothing()
    for command in (ChangeProduct(name="x"), AddVariant(variant=XL), ReplaceVariants(variants=())):
        archived.when(command).refused(ArchivedProduct)
    archived.when(RestoreProduct()).then(events.ProductRestored(new=ProductStatus.INACTIVE))
    restored = archived.after(RestoreProduct())
    assert restored.state == inactive.state
    restored.when(RestoreProduct()).nothing()


@pytest.mark.parametrize("command", [create(status=ProductStatus.ARCHIVED)])
def test_archiving_is_a_command_of_its_own(command: CreateProduct) -> None:
    scenario(PRODUCT).when(command).refused(StatusNotSettable)
    product().when(ChangeProduct(status=ProductStatus.ARCHIVED)).refused(StatusNotSettable)


def test_variants_are_added_changed_and_removed() -> None:
    product().when(AddVariant(variant=XL)).then(events.VariantAdded(variant=XL))
    product().when(AddVariant(variant=M)).nothing()
    dearer = Variant(sku="BTK-M", options=M.options, base_price=190_000)
    product().when(ChangeVariant(sku="btk-m", base_price=190_000)).then(events.VariantChanged(old=M, new=dearer))
    product().when(ChangeVariant(sku="BTK-M")).nothing()
    product().when(RemoveVariant(sku="BTK-L")).then(events.VariantRemoved(variant=L))
    product().when(RemoveVariant(sku="nobody")).refused(UnknownVariant)
    product().when(ChangeVariant(sku="nobody", base_price=1)).refused(UnknownVariant)


def test_replacing_variants_tells_the_difference() -> None:
    cheaper = Variant(sku="BTK-L", options=L.options)
    told = product().when(ReplaceVariants(variants=(XL, cheaper)))
    told.then(
        events.VariantRemoved(variant=M),
        events.VariantChanged(old=L, new=cheaper),
        events.VariantAdded(variant=XL),
    )
    assert skus(told.outcome) == ["BTK-L", "BTK-XL"]
    product().when(ReplaceVariants(variants=(L, M))).nothing()


def test_two_variants_may_swap_their_options() -> None:
    swapped = (Variant(sku="BTK-M", options=L.options), Variant(sku="BTK-L", options=M.options, base_price=195_000))
    told = product().when(ReplaceVariants(variants=swapped))
    assert [type(event) for event in told.events] == [events.VariantChanged, events.VariantChanged]


@pytest.mark.parametrize(
    ("variants", "refusal"),
    [
        ((M, Variant(sku="btk-m", options=XL.options)), limits.RepeatedSku),
        ((Variant(sku="btk", options=M.options),), limits.RepeatedSku),
        ((M, Variant(sku="BTK-2", options=M.options)), limits.InvalidVariants),
        ((M, Variant(sku="BTK-2", options=(Option("Ukuran", "m"),))), limits.InvalidVariants),
        ((M, Variant(sku="BTK-2", options=(Option("Warna", "Hitam"),))), limits.InvalidVariants),
        ((M, Variant(sku="BTK-2")), limits.InvalidVariants),
        ((Variant(sku="B", options=(Option("a", "1"), Option("b", "1"), Option("c", "1"))),), limits.InvalidVariants),
        ((Variant(sku="B", options=(Option("a", "1"), Option("A", "2"))),), limits.InvalidVariants),
        ((Variant(sku="B", options=(Option("a", ""),)),), limits.InvalidVariants),
        (tuple(Variant(sku=f"B{n}", options=(Option("a", str(n)),)) for n in range(101)), limits.InvalidVariants),
        ((Variant(sku="B", options=(Option("a", "1"),), base_price=0),), limits.PriceOutOfRange),
        ((Variant(sku=" B", options=(Option("a", "1"),)),), limits.InvalidSku),
    ],
)
def test_variants_that_cannot_be_told_apart_are_refused(variants: tuple[Variant, ...], refusal: type[Refusal]) -> None:
    product().when(ReplaceVariants(variants=variants)).refused(refusal)
    scenario(PRODUCT).when(create(variants=variants)).refused(refusal)


def test_an_override_is_set_and_lifted_and_its_prices_are_kept_in_order() -> None:
    override = Override(name="Batik", prices=(("BTK-M", 250_000), ("BTK-L", 260_000)))
    kept = Override(name="Batik", prices=(("BTK-L", 260_000), ("BTK-M", 250_000)))
    set_ = SetPlatformOverride(platform=Platform.SHOPEE, override=override)
    product().when(set_).then(events.PlatformOverrideChanged(platform=Platform.SHOPEE, old=Override(), new=kept))
    product(set_).when(set_).nothing()
    lift = SetPlatformOverride(platform=Platform.SHOPEE, override=Override())
    assert product(set_).when(lift).outcome == product().state
    unknown = SetPlatformOverride(platform=Platform.SHOPEE, override=Override(prices=(("BTK", 1),)))
    product().when(unknown).refused(OverrideOfUnknownSku)


@pytest.mark.parametrize(
    ("override", "refusal"),
    [
        (Override(name=""), limits.InvalidName),
        (Override(description="x" * 20_001), limits.InvalidText),
        (Override(prices=(("BTK-M", 0),)), limits.PriceOutOfRange),
        (Override(prices=(("BTK-M", 1), ("BTK-M", 2))), limits.RepeatedSku),
        (Override(prices=(("BTK-M", 1), ("btk-m", 2))), limits.RepeatedSku),
    ],
)
def test_an_override_keeps_the_limits_of_what_it_overrides(override: Override, refusal: type[Refusal]) -> None:
    product().when(SetPlatformOverride(platform=Platform.SHOPEE, override=override)).refused(refusal)


def test_prices_of_a_removed_variant_leave_the_overrides() -> None:
    override = Override(prices=(("BTK-L", 260_000), ("BTK-M", 250_000)))
    told = product(SetPlatformOverride(platform=Platform.SHOPEE, override=override)).when(RemoveVariant(sku="BTK-L"))
    told.then(
        events.VariantRemoved(variant=L),
        events.PlatformOverrideChanged(
            platform=Platform.SHOPEE, old=override, new=Override(prices=(("BTK-M", 250_000),))
        ),
    )


def test_an_override_names_skus_in_any_case_and_keeps_them_as_the_product_writes_them() -> None:
    set_ = SetPlatformOverride(platform=Platform.SHOPEE, override=Override(prices=(("btk-m", 250_000),)))
    kept = Override(prices=(("BTK-M", 250_000),))
    product().when(set_).then(events.PlatformOverrideChanged(platform=Platform.SHOPEE, old=Override(), new=kept))
    product(set_).when(set_).nothing()


def test_a_variant_whose_sku_is_written_otherwise_is_changed_and_keeps_its_place_and_its_overridden_price() -> None:
    override = Override(prices=(("BTK-L", 260_000), ("BTK-M", 250_000)))
    lower = Variant(sku="btk-m", options=M.options)
    before = product(SetPlatformOverride(platform=Platform.SHOPEE, override=override))
    told = before.when(ReplaceVariants(variants=(lower, L)))
    told.then(
        events.VariantChanged(old=M, new=lower),
        events.PlatformOverrideChanged(
            platform=Platform.SHOPEE, old=override, new=Override(prices=(("BTK-L", 260_000), ("btk-m", 250_000)))
        ),
    )
    assert skus(told.outcome) == ["btk-m", "BTK-L"]
    assert claims_of(told.outcome) == claims_of(before.state)


def test_adding_a_variant_that_is_there_in_another_case_is_nothing_and_creating_again_likewise() -> None:
    product().when(AddVariant(variant=Variant(sku="btk-m", options=M.options))).nothing()
    product().when(AddVariant(variant=Variant(sku="btk-m", options=XL.options))).refused(limits.RepeatedSku)
    product().when(create(sku="btk", variants=(M, L))).nothing()


def test_a_product_claims_its_own_sku_and_those_of_its_variants_also_while_archived() -> None:
    claims = {Claim("sku", "btk"), Claim("sku", "btk-m"), Claim("sku", "btk-l")}
    assert claims_of(PRODUCT.initial) == frozenset()
    assert claims_of(product().state) == claims
    assert claims_of(product(ArchiveProduct()).state) == claims
    assert claims_of(product(RemoveVariant(sku="BTK-L")).state) == claims - {Claim("sku", "btk-l")}


@pytest.mark.parametrize("price", [0, -1, MAX_PRICE + 1, True, 189_000.0, float("nan"), Decimal(5), "5"])
def test_a_price_is_a_whole_number_of_rupiah_within_bounds(price: object) -> None:
    refused = scenario(PRODUCT).when(create(base_price=price)).refused(limits.PriceOutOfRange)
    assert refused.code == "price_out_of_range"
    product().when(ChangeProduct(base_price=price)).refused(limits.PriceOutOfRange)  # type: ignore[arg-type]  # past the edge
    product().when(ChangeProduct(cost_price=price)).refused(limits.PriceOutOfRange)  # type: ignore[arg-type]  # past the edge


@pytest.mark.parametrize("price", [1, MAX_PRICE])
def test_both_ends_of_the_price_range_are_prices(price: int) -> None:
    assert scenario(PRODUCT).when(create(base_price=price)).events


@pytest.mark.parametrize(
    "sku", ["", " A", "A ", "A\nB", "A\u200bB", "x" * 101, "1E+05", "1,5e-3", "9.43E+12", "\ud800"]
)
def test_a_sku_that_was_damaged_is_refused(sku: str) -> None:
    scenario(PRODUCT).when(create(sku=sku)).refused(limits.InvalidSku)


@pytest.mark.parametrize("sku", ["1E5", "BTK-PRG/1", "Ärmel 5", "x" * 100, "E+05"])
def test_an_odd_sku_is_a_sku(sku: str) -> None:
    assert scenario(PRODUCT).when(create(sku=sku)).events


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"name": "  "}, limits.InvalidName),
        ({"name": "x" * 501}, limits.InvalidName),
        ({"name": "a\x00b"}, limits.InvalidName),
        ({"description": "x" * 20_001}, limits.InvalidText),
        ({"short_description": "a\x07"}, limits.InvalidText),
        ({"description": "\ud800"}, limits.InvalidText),
        ({"category": "x" * 201}, limits.InvalidText),
        ({"tags": tuple(str(n) for n in range(51))}, limits.InvalidTags),
        ({"tags": ("x" * 51,)}, limits.InvalidTags),
        ({"tags": ("a", "a")}, limits.InvalidTags),
        ({"tags": ("",)}, limits.InvalidTags),
        ({"images": tuple(Image(f"https://x.example/{n}") for n in range(21))}, limits.InvalidImages),
        ({"images": (Image("ftp://x.example/1"),)}, limits.InvalidImages),
        ({"images": (Image("https://"),)}, limits.InvalidImages),
        ({"images": (Image("https://[x"),)}, limits.InvalidImages),
        ({"images": (Image("javascript:alert(1)"),)}, limits.InvalidImages),
        ({"images": (Image("https://x.example/1"), Image("https://x.example/1"))}, limits.InvalidImages),
        (
            {"images": (Image("https://x.example/1", primary=True), Image("https://x.example/2", primary=True))},
            limits.InvalidImages,
        ),
        ({"dimensions": Dimensions(weight_kg=Decimal(100_000))}, limits.DimensionOutOfRange),
        ({"dimensions": Dimensions(weight_kg=Decimal("0.0001"))}, limits.DimensionOutOfRange),
        ({"dimensions": Dimensions(length_cm=Decimal(-1))}, limits.DimensionOutOfRange),
        ({"dimensions": Dimensions(width_cm=Decimal("NaN"))}, limits.DimensionOutOfRange),
        ({"dimensions": Dimensions(height_cm=Decimal("Infinity"))}, limits.DimensionOutOfRange),
        ({"dimensions": Dimensions(height_cm=Decimal("1.001"))}, limits.DimensionOutOfRange),
    ],
)
def test_what_is_too_long_or_cannot_be_is_refused_by_name(change: dict[str, object], refusal: type[Refusal]) -> None:
    refused = scenario(PRODUCT).when(create(**change)).refused(refusal)
    assert refused.remedy
    assert str(refused.facts["field"])
    product().when(ChangeProduct(**change)).refused(refusal)  # type: ignore[arg-type]  # fields by name


def test_prices_are_kept_in_rupiah_only() -> None:
    scenario(PRODUCT).when(create(currency="USD")).refused(limits.InvalidCurrency)


def test_the_largest_measures_are_measures() -> None:
    largest = Dimensions(weight_kg=Decimal("99999.999"), length_cm=Decimal("999999.99"))
    assert product().when(ChangeProduct(dimensions=largest)).events
