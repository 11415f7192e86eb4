from __future__ import annotations

import csv
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).parents[2] / "deploy" / "demo" / "catalogue.csv"

Row = dict[str, str]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def products(rows: list[Row]) -> dict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["product_sku"] or row["sku"]].append(row)
    return dict(grouped)


def test_it_is_about_five_hundred_products_and_stays_small(rows: list[Row], products: dict[str, list[Row]]) -> None:
    assert 480 <= len(products) <= 520
    assert 900 <= len(rows) <= 1_300
    assert CATALOGUE.stat().st_size < 600_000
    assert len({row["category"] for row in rows}) == 12


def test_every_sku_is_unique_and_no_product_is_named_like_a_variant(
    rows: list[Row], products: dict[str, list[Row]]
) -> None:
    skus = [row["sku"].casefold() for row in rows]
    assert len(skus) == len(set(skus))
    assert all(re.fullmatch(r"[A-Z0-9][A-Z0-9-]{3,39}", row["sku"]) for row in rows)
    with_variants = {sku.casefold() for sku, lines in products.items() if len(lines) > 1 or lines[0]["product_sku"]}
    assert not with_variants & set(skus)


def test_every_figure_is_within_what_shops_take(rows: list[Row]) -> None:
    for row in rows:
        base, cost = int(row["base_price"]), int(row["cost_price"])
        assert 100 <= base <= 100_000_000, row["sku"]
        assert 0 < cost < base, row["sku"]
        assert 0 <= int(row["stock"]) <= 999_999, row["sku"]
        for column in ("weight_kg", "length_cm", "width_cm", "height_cm"):
            assert 0 < Decimal(row[column]) < 100, row["sku"]
        assert row["status"] in {"active", "inactive"}, row["sku"]


def test_every_text_is_as_long_as_shops_want_it(rows: list[Row]) -> None:
    for row in rows:
        assert 5 <= len(row["name"]) <= 255, row["sku"]
        assert 20 <= len(row["description"]) <= 3_000, row["sku"]
        assert row["short_description"], row["sku"]
        assert row["subcategory"], row["sku"]
        assert row["tags"], row["sku"]


def test_every_product_shows_three_to_nine_pictures(rows: list[Row]) -> None:
    for row in rows:
        urls = row["image_urls"].split("|")
        assert 3 <= len(urls) <= 9, row["sku"]
        assert len(set(urls)) == len(urls), row["sku"]
        assert all(url.startswith("https://images.example/") for url in urls), row["sku"]


def test_variants_of_one_product_differ_in_their_options_alone(products: dict[str, list[Row]]) -> None:
    own = {"sku", "base_price", "cost_price", "weight_kg", "option_1_value", "option_2_value", "stock"}
    for sku, lines in products.items():
        options = [(line["option_1_value"], line["option_2_value"]) for line in lines]
        assert len(options) == len(set(options)), sku
        assert all(bool(line["option_1_value"]) is bool(line["product_sku"]) for line in lines), sku
        shared = [{column: value for column, value in line.items() if column not in own} for line in lines]
        assert all(line == shared[0] for line in shared), sku


def test_names_are_not_repeated(products: dict[str, list[Row]]) -> None:
    names = [lines[0]["name"] for lines in products.values()]
    assert len(names) == len(set(names))


def test_the_dearest_variant_costs_at_most_seven_times_the_cheapest(products: dict[str, list[Row]]) -> None:
    for sku, lines in products.items():
        prices = [int(line["base_price"]) for line in lines]
        assert max(prices) <= 7 * min(prices), sku


@pytest.mark.parametrize(
    ("product", "name", "base_price", "stock"),
    [
        ("BTK-PRG", "Kemeja Batik Pria Lengan Panjang Motif Parang Katun", 189_000, 153),
        ("KOPI-GYO-250", "Kopi Arabika Gayo 250g Biji Sangrai Medium Roast", 85_000, 11),
        ("SMB-BWG-150", "Sambal Bawang Bu Rudy 150gr", 17_990, 4),
        ("HMP-LBR-01", "Hampers Lebaran (2 x KOPI-GYO-250 + 1 x SMB-BWG-150)", 185_000, 4),
        ("FRM-5IN", "Frame Racing Drone 5 Inch Carbon Fiber", 150_000, 45),
        ("STK-PIN", "Stiker Pin Lucu", 500, 100),
    ],
)
def test_the_products_of_the_worked_examples_are_in_it(
    products: dict[str, list[Row]], product: str, name: str, base_price: int, stock: int
) -> None:
    lines = products[product]
    assert {line["name"] for line in lines} == {name}
    assert {int(line["base_price"]) for line in lines} == {base_price}
    assert sum(int(line["stock"]) for line in lines) == stock


def test_the_parang_shirt_comes_in_two_colours_and_three_sizes(products: dict[str, list[Row]]) -> None:
    stock = {line["sku"]: int(line["stock"]) for line in products["BTK-PRG"]}
    assert stock.pop("BTK-PRG-CKL-L") == 3
    assert set(stock.values()) == {30}
    assert set(stock) == {"BTK-PRG-CKL-M", "BTK-PRG-CKL-XL", "BTK-PRG-HTM-M", "BTK-PRG-HTM-L", "BTK-PRG-HTM-XL"}
