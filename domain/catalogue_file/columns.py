"""Which column of a file means what: SyncStore's own headings, and other people's as tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.errors import Refusal


class Column(StrEnum):
    """What a cell can tell of a product. The first 21, in this order, are SyncStore's own file."""

    SKU = "sku"
    PRODUCT_SKU = "product_sku"
    NAME = "name"
    DESCRIPTION = "description"
    SHORT_DESCRIPTION = "short_description"
    CATEGORY = "category"
    SUBCATEGORY = "subcategory"
    TAGS = "tags"
    BASE_PRICE = "base_price"
    COST_PRICE = "cost_price"
    WEIGHT_KG = "weight_kg"
    LENGTH_CM = "length_cm"
    WIDTH_CM = "width_cm"
    HEIGHT_CM = "height_cm"
    OPTION_1_NAME = "option_1_name"
    OPTION_1_VALUE = "option_1_value"
    OPTION_2_NAME = "option_2_name"
    OPTION_2_VALUE = "option_2_value"
    STOCK = "stock"
    IMAGE_URLS = "image_urls"
    STATUS = "status"

    WEIGHT_G = "weight_g"
    CATEGORY_PATH = "category_path"  # "Otomotif > Suku Cadang > Rem"
    TYPE = "type"  # what kind of row it is, where the file says so


OWN_COLUMNS: Final = tuple(Column)[:21]
REQUIRED: Final = (Column.SKU, Column.NAME, Column.BASE_PRICE)


class RowKind(StrEnum):
    ALONE = "alone"  # a product without variants
    PARENT = "parent"  # what variants have in common: no price and no stock of its own
    VARIANT = "variant"
    UNSUPPORTED = "unsupported"


class Layout(Struct, frozen=True, kw_only=True):
    """How one source heads its columns. Headings are compared folded, with underscores for spaces."""

    name: str
    headings: Mapping[str, Column]
    signature: frozenset[str] = frozenset()
    """Headings that tell this source from all others."""
    separator: str = "|"
    """Between several tags, images or categories in one cell."""
    currency: str = "IDR"
    keeps_blanks: bool = False
    """True where a row may change a product in part: a blank price then keeps the price. Elsewhere it is missing."""
    types: Mapping[str, RowKind] = {}


OWN: Final = Layout(name="syncstore", headings={str(column): column for column in OWN_COLUMNS}, keeps_blanks=True)

FOREIGN: Final = (
    Layout(
        name="tokopedia",
        signature=frozenset({"nama_produk", "harga"}),
        headings={
            "sku": Column.SKU,
            "nama_produk": Column.NAME,
            "deskripsi": Column.DESCRIPTION,
            "kategori": Column.CATEGORY_PATH,
            "harga": Column.BASE_PRICE,
            "berat_gram": Column.WEIGHT_G,
            "stok": Column.STOCK,
            "url_gambar_1": Column.IMAGE_URLS,
            "url_gambar_2": Column.IMAGE_URLS,
            "url_gambar_3": Column.IMAGE_URLS,
            "url_gambar_4": Column.IMAGE_URLS,
            "url_gambar_5": Column.IMAGE_URLS,
        },
    ),
    Layout(
        name="flipkart",
        signature=frozenset({"product_name", "pid", "retail_price"}),
        headings={"pid": Column.SKU, "product_name": Column.NAME, "retail_price": Column.BASE_PRICE},
        currency="INR",
    ),
    Layout(
        name="seller_sheet",
        signature=frozenset({"product_name", "sku", "price"}),
        headings={
            "sku": Column.SKU,
            "product_name": Column.NAME,
            "description": Column.DESCRIPTION,
            "specifications": Column.SHORT_DESCRIPTION,
            "category": Column.CATEGORY,
            "price": Column.BASE_PRICE,
            "cost_price": Column.COST_PRICE,
            "weight_kg": Column.WEIGHT_KG,
            "stock": Column.STOCK,
            "status": Column.STATUS,
        },
    ),
    Layout(
        name="woocommerce",
        signature=frozenset({"type", "sku", "name", "regular_price"}),
        headings={
            "sku": Column.SKU,
            "parent": Column.PRODUCT_SKU,
            "type": Column.TYPE,
            "name": Column.NAME,
            "description": Column.DESCRIPTION,
            "short_description": Column.SHORT_DESCRIPTION,
            "categories": Column.CATEGORY_PATH,
            "tags": Column.TAGS,
            "regular_price": Column.BASE_PRICE,
            "stock": Column.STOCK,
            "weight_(kg)": Column.WEIGHT_KG,
            "length_(cm)": Column.LENGTH_CM,
            "width_(cm)": Column.WIDTH_CM,
            "height_(cm)": Column.HEIGHT_CM,
            "images": Column.IMAGE_URLS,
            "published": Column.STATUS,
            "attribute_1_name": Column.OPTION_1_NAME,
            "attribute_1_value(s)": Column.OPTION_1_VALUE,
            "attribute_2_name": Column.OPTION_2_NAME,
            "attribute_2_value(s)": Column.OPTION_2_VALUE,
        },
        separator=",",
        types={
            "simple": RowKind.ALONE,
            "external": RowKind.ALONE,
            "variable": RowKind.PARENT,
            "variation": RowKind.VARIANT,
            "grouped": RowKind.UNSUPPORTED,
        },
    ),
)


_OTHER_WORDS: Final = {
    "kode": Column.SKU,
    "nama": Column.NAME,
    "nama_produk": Column.NAME,
    "product_name": Column.NAME,
    "title": Column.NAME,
    "judul": Column.NAME,
    "deskripsi": Column.DESCRIPTION,
    "kategori": Column.CATEGORY,
    "harga": Column.BASE_PRICE,
    "harga_jual": Column.BASE_PRICE,
    "price": Column.BASE_PRICE,
    "harga_beli": Column.COST_PRICE,
    "harga_modal": Column.COST_PRICE,
    "modal": Column.COST_PRICE,
    "cost": Column.COST_PRICE,
    "berat": Column.WEIGHT_KG,
    "panjang": Column.LENGTH_CM,
    "lebar": Column.WIDTH_CM,
    "tinggi": Column.HEIGHT_CM,
    "stok": Column.STOCK,
    "qty": Column.STOCK,
    "quantity": Column.STOCK,
    "jumlah": Column.STOCK,
    "gambar": Column.IMAGE_URLS,
    "foto": Column.IMAGE_URLS,
    "images": Column.IMAGE_URLS,
}
"""What people call a column otherwise. It is suggested, not assumed: a price could be before or after a discount."""


class UnusedColumn(Struct, frozen=True):
    """A heading that means nothing here, and the one that was perhaps meant."""

    heading: str
    meant: str | None


class Header(Struct, frozen=True, kw_only=True):
    """A file's first row, understood."""

    layout: Layout
    headings: tuple[str, ...]
    columns: tuple[Column | None, ...]
    """For each heading; None where it is not used."""
    unused: tuple[UnusedColumn, ...]

    def heading_of(self, column: Column) -> str:
        """How the file calls a column."""
        return self.headings[self.columns.index(column)] if column in self.columns else str(column)


class MissingColumns(Refusal):
    code = "columns_missing"
    remedy = "Add the columns that are named to the first row, or export a file to see how it looks."


class RepeatedColumns(Refusal):
    code = "columns_repeated"
    remedy = "Give each column a heading of its own."


def read_header(cells: Sequence[str]) -> Header:
    """Raises MissingColumns and RepeatedColumns, each naming the headings."""
    headings = tuple(cell.strip() for cell in cells)
    folded = [re.sub(r"\s+", "_", heading.casefold()) for heading in headings]
    repeated = sorted(heading for heading, times in Counter(folded).items() if times > 1 and heading)
    if repeated:
        raise RepeatedColumns(f"these columns are there more than once: {', '.join(repeated)}", columns=repeated)
    layout = next((layout for layout in FOREIGN if layout.signature <= set(folded)), OWN)
    columns = tuple(layout.headings.get(heading) for heading in folded)
    unused = tuple(
        UnusedColumn(heading, _meant(key, layout, folded))
        for heading, key, column in zip(headings, folded, columns, strict=True)
        if column is None and heading
    )
    missing = [layout_heading(layout, column) for column in REQUIRED if column not in columns]
    if missing:
        hints = [f"{found.heading!r} is perhaps meant to be {found.meant!r}" for found in unused if found.meant]
        if all(column is None for column in columns):
            hints.append(f"the first row reads {', '.join(headings)[:80]!r}")
        message = "; ".join([f"these columns are missing: {', '.join(missing)}", *hints])
        raise MissingColumns(message, columns=missing, unused=[found.heading for found in unused])
    return Header(layout=layout, headings=headings, columns=columns, unused=unused)


def layout_heading(layout: Layout, column: Column) -> str:
    """How a layout heads a column."""
    return next((heading for heading, means in layout.headings.items() if means is column), str(column))


def _meant(heading: str, layout: Layout, present: Sequence[str]) -> str | None:
    free = [known for known in layout.headings if known not in present]
    close = get_close_matches(heading.replace("-", "_"), free, n=1, cutoff=0.75)
    if close:
        return close[0]
    column = _OTHER_WORDS.get(heading)
    return next((known for known in free if layout.headings[known] is column), None)
