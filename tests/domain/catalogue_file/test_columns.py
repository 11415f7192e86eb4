from __future__ import annotations

import pytest

from domain.catalogue_file.columns import (
    OWN_COLUMNS,
    Column,
    MissingColumns,
    RepeatedColumns,
    UnusedColumn,
    read_header,
)


def test_the_columns_of_an_own_file_are_frozen() -> None:
    assert ",".join(OWN_COLUMNS) == (
        "sku,product_sku,name,description,short_description,category,subcategory,tags,base_price,cost_price,weight_kg,"
        "length_cm,width_cm,height_cm,option_1_name,option_1_value,option_2_name,option_2_value,stock,image_urls,status"
    )


def test_headings_are_read_in_any_order_case_and_with_spaces() -> None:
    header = read_header([" Base Price ", "SKU", "Name"])
    assert header.columns == (Column.BASE_PRICE, Column.SKU, Column.NAME)
    assert header.layout.name == "syncstore"
    assert header.heading_of(Column.BASE_PRICE) == "Base Price"


def test_unknown_columns_are_named_with_what_was_perhaps_meant() -> None:
    header = read_header(["sku", "name", "base_price", "cost_prise", "warna", ""])
    assert header.unused == (UnusedColumn("cost_prise", "cost_price"), UnusedColumn("warna", None))


@pytest.mark.parametrize(
    ("heading", "meant"),
    [
        ("Stok", "stock"),
        ("Jumlah", "stock"),
        ("Harga Beli", "cost_price"),
        ("Weight-KG", "weight_kg"),
        ("Berat", "weight_kg"),
        ("catgory", "category"),
        ("foto", "image_urls"),
        ("catatan gudang", None),
    ],
)
def test_a_near_miss_and_what_people_call_a_column_otherwise_are_recognised(heading: str, meant: str | None) -> None:
    assert read_header(["sku", "name", "base_price", heading]).unused == (UnusedColumn(heading, meant),)


def test_a_first_row_that_names_no_column_is_shown() -> None:
    with pytest.raises(MissingColumns, match=r"missing: sku, name, base_price; the first row reads 'Daftar Produk, '"):
        read_header(["Daftar Produk", ""])


def test_missing_columns_are_named_all_at_once() -> None:
    with pytest.raises(MissingColumns, match=r"sku, base_price.*'base_prize' is perhaps meant to be 'base_price'") as e:
        read_header(["name", "base_prize"])
    assert e.value.facts == {"columns": ["sku", "base_price"], "unused": ["base_prize"]}


def test_missing_columns_are_named_as_the_source_names_them() -> None:
    with pytest.raises(MissingColumns) as missing:
        read_header(["nama_produk", "harga"])
    assert missing.value.facts["columns"] == ["sku"]


def test_repeated_columns_are_named() -> None:
    with pytest.raises(RepeatedColumns, match="base_price, sku"):
        read_header(["sku", "SKU", "name", "base_price", "Base Price"])


@pytest.mark.parametrize(
    ("headings", "layout", "currency"),
    [
        ("nama_produk,kategori,harga,berat_gram,stok,sku,deskripsi,url_gambar_1", "tokopedia", "IDR"),
        ("id,product_name,category,price,cost_price,stock,sku,weight_kg,description,status", "seller_sheet", "IDR"),
        ("ID,Type,SKU,Name,Published,Stock,Weight (kg),Regular price,Parent", "woocommerce", "IDR"),
        ("uniq_id,product_name,pid,retail_price,discounted_price,brand", "flipkart", "INR"),
        ("sku,name,base_price", "syncstore", "IDR"),
    ],
)
def test_foreign_files_are_recognised_by_their_headings(headings: str, layout: str, currency: str) -> None:
    header = read_header(headings.split(","))
    assert (header.layout.name, header.layout.currency) == (layout, currency)
