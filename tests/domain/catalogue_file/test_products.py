from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.catalogue_file.columns import RowKind
from domain.catalogue_file.products import ProductRows, group_products, new_product
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.product.commands import CreateProduct
from domain.product.limits import MAX_IMAGES, MAX_VARIANTS
from domain.values import Dimensions, Image, Option, ProductStatus, Variant


def variant(line: int, colour: str, size: str = "L", **changes: object) -> CatalogueRow:
    row = CatalogueRow(
        line=line,
        kind=RowKind.VARIANT,
        sku=f"BTK-{colour}-{size}",
        product_sku="BTK",
        name="Kemeja Batik",
        base_price=189_000,
        options=(Option("Warna", colour), Option("Ukuran", size)),
    )
    return replace(row, **changes)


def alone(line: int, sku: str = "KOPI", **changes: object) -> CatalogueRow:
    row = CatalogueRow(
        line=line, kind=RowKind.ALONE, sku=sku, product_sku=sku, name="Kopi Gayo", base_price=85_000, stock=11
    )
    return replace(row, **changes)


def only(rows: list[CatalogueRow]) -> ProductRows:
    (product,) = group_products(rows)
    assert isinstance(product, ProductRows)
    return product


def test_a_row_that_stands_alone_is_a_product_without_variants() -> None:
    product = only([alone(2)])
    assert (product.sku, product.lines, product.variants, product.stock) == ("KOPI", (2,), (), (("KOPI", 11),))


def test_scattered_rows_come_together_in_the_order_of_first_appearance() -> None:
    products = list(group_products([variant(2, "Hitam"), alone(3), variant(4, "Cokelat", product_sku="btk", stock=3)]))
    assert all(isinstance(product, ProductRows) for product in products)
    assert [product.sku for product in products if isinstance(product, ProductRows)] == ["BTK", "KOPI"]
    batik = products[0]
    assert isinstance(batik, ProductRows)
    assert batik.lines == (2, 4)
    assert [row.sku for row in batik.variants] == ["BTK-Hitam-L", "BTK-Cokelat-L"]
    assert batik.stock == (("BTK-Cokelat-L", 3),)


def test_figures_without_a_row_of_the_product_are_chosen_on_the_safe_side() -> None:
    product = only(
        [
            variant(2, "Hitam", base_price=90_000, cost_price=50_000, dimensions=Dimensions(weight_kg=Decimal("0.2"))),
            variant(3, "Putih", base_price=80_000, cost_price=60_000, dimensions=Dimensions(weight_kg=Decimal("0.3"))),
        ]
    )
    assert (product.base_price, product.cost_price) == (80_000, 60_000)
    assert product.dimensions == Dimensions(weight_kg=Decimal("0.3"))


def test_the_products_own_row_speaks_for_it() -> None:
    own = alone(
        5,
        "BTK",
        name="Kemeja Batik",
        base_price=200_000,
        cost_price=1_000,
        dimensions=Dimensions(weight_kg=Decimal("0.1")),
        images=(Image("https://i.example/own.jpg", primary=True),),
        stock=None,
    )
    product = only([variant(2, "Hitam", cost_price=9, images=(Image("https://i.example/v.jpg", primary=True),)), own])
    assert (product.base_price, product.cost_price) == (200_000, 1_000)
    assert product.dimensions.weight_kg == Decimal("0.1")
    assert product.images == own.images
    assert [row.sku for row in product.variants] == ["BTK-Hitam-L"]


def test_a_variant_without_a_price_follows_the_row_of_its_product() -> None:
    own = alone(2, "BTK", name="Kemeja Batik", base_price=200_000)
    command = new_product(only([own, variant(3, "Hitam", base_price=None), variant(4, "Putih")]), "p-1")
    assert isinstance(command, CreateProduct)
    assert command.base_price == 200_000
    assert [v.base_price for v in command.variants] == [None, 189_000]


def test_pieces_belong_to_the_variants_where_there_are_any() -> None:
    own = alone(2, "BTK", name="Kemeja Batik", stock=99)
    assert only([own, variant(3, "Hitam", stock=4)]).stock == (("BTK-Hitam-L", 4),)


def test_blank_cells_take_what_other_rows_say() -> None:
    product = only([variant(2, "Hitam", name=None), variant(3, "Putih", category="Fashion")])
    assert (product.name, product.category, product.status) == ("Kemeja Batik", "Fashion", None)


def test_pictures_and_tags_of_all_variants_are_united_once_each() -> None:
    first, second = Image("https://i.example/1.jpg", primary=True), Image("https://i.example/2.jpg", primary=True)
    product = only(
        [
            variant(2, "Hitam", images=(first,), tags=("batik", "pria")),
            variant(3, "Putih", images=(second, replace(first, primary=False)), tags=("pria", "baru")),
        ]
    )
    assert product.images == (first, replace(second, primary=False))
    assert product.tags == ("batik", "pria", "baru")
    many = [variant(i, str(i), images=(Image(f"https://i.example/{i}.jpg"),)) for i in range(MAX_IMAGES + 5)]
    assert len(only(many).images or ()) == MAX_IMAGES


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (variant(3, "Putih", name="Baju"), "its name is not that of line 2"),
        (variant(3, "Putih", status=ProductStatus.INACTIVE), "its status is not that of line 2"),
        (variant(3, "Putih", options=(Option("Warna", "Putih"),)), "its options are not those of line 2"),
        (variant(3, "Putih", options=()), "its options are not those of line 2"),
        (variant(3, "hitam"), "its options have the same values as in line 2"),
    ],
)
def test_a_variant_that_contradicts_the_others_is_rejected_alone(second: CatalogueRow, words: str) -> None:
    first = variant(2, "Hitam", status=ProductStatus.ACTIVE)
    faulty, product = group_products([first, second])
    assert isinstance(faulty, RowRejected)
    assert (faulty.line, faulty.value, faulty.code) == (3, second.sku, "variants_disagree")
    assert words in faulty.reason
    assert isinstance(product, ProductRows)
    assert [row.line for row in product.variants] == [2]


def test_a_product_has_no_more_variants_than_it_may() -> None:
    rows = [variant(line, str(line)) for line in range(2, MAX_VARIANTS + 3)]
    rejected, product = group_products(rows)
    assert isinstance(rejected, RowRejected)
    assert rejected.line == MAX_VARIANTS + 2
    assert isinstance(product, ProductRows)
    assert len(product.variants) == MAX_VARIANTS


def test_two_rows_of_one_product_sku_are_not_both_taken() -> None:
    faulty, product = group_products([alone(2), alone(3)])
    assert isinstance(faulty, RowRejected)
    assert (faulty.line, faulty.code) == (3, "sku_repeated_in_file")
    assert isinstance(product, ProductRows)


def test_a_parent_whose_variants_are_all_missing_is_rejected() -> None:
    (answer,) = group_products([alone(2, kind=RowKind.PARENT, base_price=None)])
    assert isinstance(answer, RowRejected)
    assert (answer.line, answer.code) == (2, "variants_missing")


def test_a_new_product_is_created_from_its_rows() -> None:
    rows = only([variant(2, "Hitam", tags=("batik",)), variant(3, "Hitam", "XL", base_price=199_000)])
    assert new_product(rows, "p-1") == CreateProduct(
        product_id="p-1",
        sku="BTK",
        name="Kemeja Batik",
        base_price=189_000,
        tags=("batik",),
        variants=(
            Variant(sku="BTK-Hitam-L", options=(Option("Warna", "Hitam"), Option("Ukuran", "L"))),
            Variant(sku="BTK-Hitam-XL", options=(Option("Warna", "Hitam"), Option("Ukuran", "XL")), base_price=199_000),
        ),
    )


@pytest.mark.parametrize(
    ("rows", "line", "column"),
    [
        ([alone(2, name=None)], 2, "name"),
        ([alone(2, base_price=None)], 2, "base_price"),
        ([variant(2, "Hitam"), variant(3, "Putih", base_price=None)], 3, "base_price"),
    ],
)
def test_a_new_product_needs_a_name_and_every_price(rows: list[CatalogueRow], line: int, column: str) -> None:
    answer = new_product(only(rows), "p-1")
    assert isinstance(answer, RowRejected)
    assert (answer.line, answer.column, answer.code) == (line, column, "value_missing")


@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["x", "y", "z"])), max_size=12, unique=True))
def test_no_row_is_lost_whatever_the_order(places: list[tuple[str, str]]) -> None:
    rows = [
        variant(line, value, sku=f"{product}-{value}", product_sku=product)
        for line, (product, value) in enumerate(places, start=2)
    ]
    answers = list(group_products(rows))
    lines = [
        line for answer in answers for line in (answer.lines if isinstance(answer, ProductRows) else (answer.line,))
    ]
    assert sorted(lines) == [row.line for row in rows]
