from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.catalogue_file.cells import MAX_STOCK, NotUtf8, Workbook
from domain.catalogue_file.columns import OWN_COLUMNS, MissingColumns, RowKind
from domain.catalogue_file.file import BrokenQuotes, CatalogueFile, EmptyFile
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.errors import Refusal
from domain.values import MAX_PRICE, Dimensions, Image, Option, ProductStatus

FILLED = {
    "sku": "KOPI-GYO-250",
    "name": "Kopi Arabika Gayo 250g",
    "base_price": "85000",
}


def read(text: str | bytes) -> list[CatalogueRow | RowRejected]:
    raw = text.encode() if isinstance(text, str) else text
    return list(CatalogueFile(raw.splitlines(keepends=True)))


def read_one(**cells: str) -> CatalogueRow | RowRejected:
    """One row of an own file, quoted throughout."""
    given_cells = {**FILLED, **cells}
    quoted = ",".join('"' + given_cells.get(column, "").replace('"', '""') + '"' for column in OWN_COLUMNS)
    (row,) = read(",".join(OWN_COLUMNS) + "\n" + quoted + "\n")
    return row


def skus(rows: Iterable[CatalogueRow | RowRejected]) -> list[str]:
    return [row.sku for row in rows if isinstance(row, CatalogueRow)]


def test_a_full_row_is_read_into_typed_values() -> None:
    row = read_one(
        product_sku="KOPI-GYO",
        description="Biji pilihan\r\ndari Takengon",
        short_description="Kopi",
        category="Kopi & Teh",
        subcategory="Kopi Biji",
        tags="kopi| arabika |kopi",
        base_price="Rp 85.000",
        cost_price="58.000",
        weight_kg="0,270",
        length_cm="22",
        width_cm="12.5",
        height_cm="7",
        option_1_name="Berat",
        option_1_value="250g",
        option_2_name="Giling",
        option_2_value="Biji",
        stock="1.100",
        image_urls="https://images.example/1.jpg|https://images.example/2.jpg",
        status="Aktif",
    )
    assert row == CatalogueRow(
        line=2,
        kind=RowKind.VARIANT,
        sku="KOPI-GYO-250",
        product_sku="KOPI-GYO",
        name="Kopi Arabika Gayo 250g",
        description="Biji pilihan\ndari Takengon",
        short_description="Kopi",
        category="Kopi & Teh",
        subcategory="Kopi Biji",
        tags=("kopi", "arabika"),
        base_price=85_000,
        cost_price=58_000,
        dimensions=Dimensions(
            weight_kg=Decimal("0.270"), length_cm=Decimal(22), width_cm=Decimal("12.5"), height_cm=Decimal(7)
        ),
        options=(Option("Berat", "250g"), Option("Giling", "Biji")),
        stock=1_100,
        images=(Image("https://images.example/1.jpg", primary=True), Image("https://images.example/2.jpg")),
        status=ProductStatus.ACTIVE,
    )


def test_a_blank_cell_keeps_and_is_not_zero() -> None:
    row = read_one(base_price=" ", stock="")
    assert isinstance(row, CatalogueRow)
    assert (row.base_price, row.stock, row.tags, row.images, row.status) == (None, None, None, None, None)
    assert row.dimensions == Dimensions()


def test_zero_pieces_are_zero_pieces() -> None:
    row = read_one(stock="0")
    assert isinstance(row, CatalogueRow)
    assert row.stock == 0


@pytest.mark.parametrize("product_sku", ["", "KOPI-GYO-250", "kopi-gyo-250"])
def test_a_row_under_its_own_sku_stands_alone(product_sku: str) -> None:
    row = read_one(product_sku=product_sku)
    assert isinstance(row, CatalogueRow)
    assert (row.kind, row.product_sku) == (RowKind.ALONE, "KOPI-GYO-250")


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("sku", "", "value_missing"),
        ("sku", "1E+05", "sku_invalid"),
        ("sku", "8,99E+12", "sku_invalid"),
        ("sku", "X" * 101, "sku_invalid"),
        ("sku", '="00123"', "cell_is_formula"),
        ("product_sku", "1E+05", "sku_invalid"),
        ("name", "N" * 501, "name_invalid"),
        ("name", "Kopi\nGayo", "name_invalid"),
        ("name", "=HYPERLINK(1)", "cell_is_formula"),
        ("name", "+62 812", "cell_is_formula"),
        ("name", "@SUM(A1)", "cell_is_formula"),
        ("description", "- bahan katun", "cell_is_formula"),
        ("description", "D" * 20_001, "text_invalid"),
        ("description", "lonceng \x07", "text_invalid"),
        ("base_price", "189,50", "number_ambiguous"),
        ("base_price", "1E+05", "number_shortened"),
        ("base_price", "0", "price_out_of_range"),
        ("base_price", str(MAX_PRICE + 1), "price_out_of_range"),
        ("base_price", "-5000", "number_negative"),
        ("base_price", "-Rp 5.000", "number_negative"),
        ("stock", "-5", "number_negative"),
        ("stock", "\u22125", "number_negative"),
        ("weight_kg", "- 0,5", "number_negative"),
        ("stock", "-A1", "cell_is_formula"),
        ("stock", "=5-10", "cell_is_formula"),
        ("weight_kg", "Rp 199.000", "measure_unreadable"),
        ("base_price", "10%", "number_unreadable"),
        ("base_price", "05/01/2026", "number_unreadable"),
        ("stock", "1,5", "number_ambiguous"),
        ("base_price", "NaN", "number_unreadable"),
        ("cost_price", "murah", "number_unreadable"),
        ("stock", "banyak", "number_unreadable"),
        ("stock", str(MAX_STOCK + 1), "stock_out_of_range"),
        ("weight_kg", "0.2705", "dimension_out_of_range"),
        ("weight_kg", "100000", "dimension_out_of_range"),
        ("length_cm", "12.345", "dimension_out_of_range"),
        ("height_cm", "tinggi", "measure_unreadable"),
        ("tags", "|".join(f"t{i}" for i in range(51)), "tags_invalid"),
        ("image_urls", "ftp://images.example/1.jpg", "images_invalid"),
        ("image_urls", "foto.jpg", "images_invalid"),
        ("category", "K" * 201, "text_invalid"),
        ("status", "laku", "status_unknown"),
    ],
)
def test_a_cell_that_cannot_be_used_is_named_with_what_to_do(column: str, value: str, code: str) -> None:
    row = read_one(**{column: value})
    assert isinstance(row, RowRejected)
    assert (row.line, row.column, row.code) == (2, column, code)
    assert row.value == (value if len(value) <= 80 else value[:80] + "...")
    assert row.reason
    assert row.remedy


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"option_1_name": "Warna", "product_sku": "P"}, "option_1_value"),
        ({"option_1_value": "Merah", "product_sku": "P"}, "option_1_value"),
        ({"option_2_name": "Warna", "option_2_value": "Merah"}, "option_2_value"),
    ],
)
def test_an_option_needs_name_value_and_a_product(cells: dict[str, str], column: str) -> None:
    row = read_one(**cells)
    assert isinstance(row, RowRejected)
    assert (row.column, row.code) == (column, "option_incomplete")


def test_the_second_row_of_a_sku_is_refused_naming_both_lines() -> None:
    rows = read("sku,name,base_price\nA-1,Kopi,1000\nB-1,Teh,1000\na-1,Kopi Lagi,2000\n")
    assert skus(rows) == ["A-1", "B-1"]
    assert isinstance(rows[2], RowRejected)
    assert (rows[2].line, rows[2].column, rows[2].code) == (4, "sku", "sku_repeated_in_file")
    assert "line 2 and in line 4" in rows[2].reason


def test_a_rejected_row_does_not_occupy_its_sku() -> None:
    rows = read("sku,name,base_price\nA-1,Kopi,mahal\nA-1,Kopi,1000\n")
    assert skus(rows) == ["A-1"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_separators_byte_order_marks_and_line_ends_do_not_matter(separator: str, bom: str, newline: str) -> None:
    lines = [["sku", "name", "base_price"], ["A-1", '"Kopi, pahit; sedap"', "189.000"]]
    rows = read(bom + newline.join(separator.join(cells) for cells in lines) + newline)
    assert len(rows) == 1
    assert isinstance(rows[0], CatalogueRow)
    assert (rows[0].sku, rows[0].name, rows[0].base_price) == ("A-1", "Kopi, pahit; sedap", 189_000)


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;"])
def test_a_line_that_says_what_separates_cells_is_no_row(line: str) -> None:
    rows = read(f'{line}\r\nsku;name;base_price\r\nA-1;"Kopi, pahit, sedap, hitam";1000\r\nB-1;Teh;mahal\r\n')
    assert skus(rows) == ["A-1"]
    assert isinstance(rows[1], RowRejected)
    assert rows[1].line == 4


def test_a_line_that_says_what_separates_cells_needs_headings_below_it() -> None:
    with pytest.raises(EmptyFile):
        CatalogueFile([b"sep=;\n"])


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    rows = read('sku,name,base_price,description\nA-1,Kopi,1,"dua\nbaris"\n\n,,,\nB-1,Teh,mahal,\n')
    assert isinstance(rows[0], CatalogueRow)
    assert isinstance(rows[1], RowRejected)
    assert (len(rows), rows[0].line, rows[1].line) == (2, 2, 6)


@pytest.mark.parametrize("cells", ["A-1,Kopi", "A-1,Kopi,1000,lebih"])
def test_a_row_with_too_few_or_too_many_cells_is_refused(cells: str) -> None:
    (row,) = read(f"sku,name,base_price\n{cells}\n")
    assert isinstance(row, RowRejected)
    assert (row.column, row.code) == (None, "cells_do_not_fit")


def test_a_row_that_is_not_utf8_is_refused_alone() -> None:
    rows = read(b"sku,name,base_price\nA-1,Caf\xe9,1000\nB-1,Teh,1000\n")
    assert isinstance(rows[0], RowRejected)
    assert (rows[0].line, rows[0].column, rows[0].value, rows[0].code) == (2, "name", "Caf?", "not_utf8")
    assert skus(rows) == ["B-1"]


def test_broken_quotes_reject_their_lines_and_the_rest_is_read() -> None:
    rows = read('sku,name,base_price\nA-1,"Kopi"pahit,1000\nB-1,Teh,1000\n')
    assert isinstance(rows[0], RowRejected)
    assert (rows[0].line, rows[0].code) == (2, "quotes_broken")
    assert skus(rows) == ["B-1"]


def test_a_quote_that_never_closes_says_which_lines_it_swallowed() -> None:
    rows = read('sku,name,base_price\nA-1,"Kopi,1000\nB-1,Teh,1000\nC-1,Gula,1000\n')
    (row,) = rows
    assert isinstance(row, RowRejected)
    assert row.code == "quotes_broken"
    assert "lines 2 to 4" in row.reason


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", EmptyFile),
        (b"\n", EmptyFile),
        (b"\xef\xbb\xbf\r\n", EmptyFile),
        (b"sep=;\ns\x00k\x00u\x00", NotUtf8),
        ("sku,name,base_price\n".encode("utf-16"), NotUtf8),
        (b"sku,nam\xe9,base_price\n", NotUtf8),
        (b'sku,"name"x,base_price\n', BrokenQuotes),
        (b"sku,name\n", MissingColumns),
        (b"bukan katalog\n", MissingColumns),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_at_its_first_row(content: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as refused:
        read(content)
    assert refused.value.remedy


def test_rows_are_read_one_at_a_time() -> None:
    taken: list[int] = []

    def lines() -> Iterable[bytes]:
        for number in range(1_000):
            taken.append(number)
            yield b"sku,name,base_price\n" if number == 0 else b"A-%d,Kopi,1000\n" % number

    rows = iter(CatalogueFile(lines()))
    next(rows)
    assert len(taken) == 2


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=8))
def test_every_row_that_is_not_blank_gets_exactly_one_answer(table: list[list[str]]) -> None:
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in table]
    raw = ("sku,name,base_price\n" + "".join(lines)).encode("utf-8", "replace")
    answers = list(CatalogueFile([line + b"\n" for line in raw.split(b"\n")]))
    assert len(answers) == sum(any(cell.strip() for cell in row) for row in table)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_answered(raw: bytes) -> None:
    for answer in read(b"sku,name,base_price\n" + raw):
        assert isinstance(answer, CatalogueRow | RowRejected)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_may_end_as_on_any_computer(ending: str) -> None:
    text = ending.join(["sku,name,base_price", "A,Kopi,1000", 'B,"Teh, hijau",2000', "C,Gula", ""])
    rows = list(CatalogueFile(BytesIO(text.encode())))
    assert skus(rows) == ["A", "B"]
    assert [(row.line, row.code) for row in rows if isinstance(row, RowRejected)] == [(4, "cells_do_not_fit")]


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", Workbook),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Workbook),
        ("sku,name,base_price\nA,Kopi,1\n".encode("utf-16"), NotUtf8),
        ("sku,name,base_price\nA,Kopi,1\n".encode("utf-16-le"), NotUtf8),
        ("sku,náme,base_price\n".encode("latin-1"), NotUtf8),
        (b"<html><table><tr><td>sku</td></tr></table></html>\n", MissingColumns),
        (b"%PDF-1.4\n", MissingColumns),
        (b"sku|name|base_price\n", MissingColumns),
        (b"Daftar Produk Toko,,\nsku,name,base_price\n", MissingColumns),
        (b"", EmptyFile),
        (b"\r\r", EmptyFile),
    ],
)
def test_what_is_no_catalogue_is_refused_as_a_whole_with_what_to_do(content: bytes, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as refused:
        CatalogueFile(BytesIO(content))
    assert refused.value.remedy


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_below_the_headings_end_in_rows_or_rejections(noise: bytes) -> None:
    for row in CatalogueFile(BytesIO(b"sku,name,base_price,stock\n" + noise)):
        assert isinstance(row, CatalogueRow) or (row.line >= 2 and row.reason and row.remedy)
