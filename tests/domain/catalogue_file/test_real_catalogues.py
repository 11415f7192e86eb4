"""Catalogues that other people published; they lie beside the repository, not in it."""

from __future__ import annotations

import gzip
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import ProductRows, group_products, new_product
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.product.commands import CreateProduct
from domain.product.limits import check_variants
from domain.values import Image, Option, ProductStatus

REPOSITORY = Path(__file__).parents[3]
OTHERS = REPOSITORY.parent / "shared" / "data"


class Read(NamedTuple):
    layout: str
    answers: int
    rows: list[CatalogueRow]
    rejected: list[RowRejected]
    products: dict[str, ProductRows]


def read(path: Path) -> Read:
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        file = CatalogueFile(lines)
        answers = list(file)
    rows = [answer for answer in answers if isinstance(answer, CatalogueRow)]
    rejected = [answer for answer in answers if isinstance(answer, RowRejected)]
    products: dict[str, ProductRows] = {}
    for product in group_products(rows):
        if isinstance(product, ProductRows):
            products[product.sku] = product
        else:
            rejected.append(product)
    return Read(file.header.layout.name, len(answers), rows, rejected, products)


def create(product: ProductRows) -> CreateProduct:
    command = new_product(product, "p-1")
    assert isinstance(command, CreateProduct)
    check_variants(command.sku, command.variants)
    return command


def test_the_demonstration_catalogue_is_taken_whole() -> None:
    found = read(REPOSITORY / "deploy" / "demo" / "catalogue.csv")
    assert (found.layout, len(found.rejected), len(found.products)) == ("syncstore", 0, 506)
    assert found.answers == len(found.rows) == sum(len(product.lines) for product in found.products.values())
    assert [create(product).sku for product in found.products.values()] == list(found.products)


def test_a_sellers_own_sheet_of_spare_parts() -> None:
    found = read(OTHERS / "spare_parts_seller.csv")
    assert (found.layout, found.answers, len(found.rejected), len(found.products)) == ("seller_sheet", 29, 0, 29)
    part = create(found.products["MAZ-STR-003"])
    assert (part.name, part.base_price, part.cost_price) == ("Ball Joint Mazda MR90/Vantren", 250_000, 187_500)
    assert (part.dimensions.weight_kg, part.category, part.status) == (
        Decimal("1.2"),
        "Steering",
        ProductStatus.INACTIVE,
    )
    assert found.products["MAZ-STR-003"].stock == (("MAZ-STR-003", 10),)


def test_a_tokopedia_upload_sheet_with_grams_and_no_stock() -> None:
    found = read(OTHERS / "tokopedia_upload_template.csv")
    assert (found.layout, found.answers, len(found.rejected), len(found.products)) == ("tokopedia", 29, 0, 29)
    part = create(found.products["ME701446"])
    assert (part.base_price, part.dimensions.weight_kg) == (378_000, Decimal("0.8"))
    assert (part.category, part.subcategory) == ("Otomotif", "Suku Cadang Mobil > Mesin & Penggerak")
    assert all(product.stock == () for product in found.products.values())


def test_a_woocommerce_export_with_parents_and_variations() -> None:
    found = read(OTHERS / "woocommerce_export.csv")
    assert (found.layout, found.answers) == ("woocommerce", 24)
    assert [(row.line, row.column, row.value, row.code) for row in found.rejected] == [
        (17, "Type", "grouped", "row_unsupported")
    ]
    hoodie = create(found.products["cc-hoodie"])
    assert (hoodie.name, hoodie.base_price, len(hoodie.variants)) == ("Hoodie", 45, 6)
    assert hoodie.variants[0].options == (Option("Color", "Red"), Option("Logo", "No"))
    assert (hoodie.category, hoodie.subcategory) == ("Clothing", "Hoodies")
    shirt = create(found.products["cc-tee"])
    assert {variant.options for variant in shirt.variants} == {
        (Option("Color", colour),) for colour in ("Red", "Green", "Blue")
    }
    assert len(shirt.images) == 3
    assert shirt.images[0] == Image(shirt.images[0].url, primary=True)
    assert found.products["cc-beanie"].base_price == 20


def test_twenty_thousand_crawled_listings_all_find_an_answer() -> None:
    found = read(OTHERS / "flipkart_listings_20k.csv.gz")
    assert (found.layout, found.answers) == ("flipkart", 20_000)
    assert len(found.rows) + len(found.rejected) == 20_000
    assert Counter(row.code for row in found.rejected) == {
        "value_missing": 78,
        "cell_is_formula": 5,
        "sku_repeated_in_file": 2,
    }
    assert {row.column for row in found.rejected if row.code == "value_missing"} == {"retail_price"}
    assert len(found.products) == 19_915
    assert max(len(product.name or "") for product in found.products.values()) == 301
