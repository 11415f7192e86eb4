"""One row of a catalogue file: typed values, or the cell that cannot be used with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from msgspec import Struct

from domain.catalogue_file.cells import (
    STATUSES,
    Formula,
    IncompleteOption,
    MissingValue,
    NegativeNumber,
    NotUtf8,
    TooManyCells,
    UnsupportedRow,
    read_length,
    read_name,
    read_price,
    read_shelf,
    read_sku,
    read_status,
    read_stock,
    read_text,
    read_weight,
)
from domain.catalogue_file.columns import Column, Header, RowKind
from domain.catalogue_file.numbers import read_measure, read_whole
from domain.errors import Refusal
from domain.product.limits import check_images, check_tags
from domain.values import Dimensions, Image, Option, ProductStatus

T = TypeVar("T")

_SHOWN: Final = 80
_FORMULA: Final = ("=", "+", "-", "@")
_NEGATIVE: Final = re.compile(r"[-\u2212]\s*(?:(?:rp|idr)\.?\s*)?[0-9][0-9., ]*", re.IGNORECASE)
_NUMBERS: Final = {
    Column.BASE_PRICE,
    Column.COST_PRICE,
    Column.STOCK,
    Column.WEIGHT_KG,
    Column.WEIGHT_G,
    Column.LENGTH_CM,
    Column.WIDTH_CM,
    Column.HEIGHT_CM,
}
_OPTIONS: Final = (
    (Column.OPTION_1_NAME, Column.OPTION_1_VALUE),
    (Column.OPTION_2_NAME, Column.OPTION_2_VALUE),
)


class CatalogueRow(Struct, frozen=True, kw_only=True):
    """What one row says. None stands for a blank cell, which keeps what is there."""

    line: int
    """Of the file, counted from 1, where the row begins."""
    kind: RowKind
    sku: str
    product_sku: str
    """Under which product the row belongs; its own SKU where it stands alone."""
    name: str | None = None
    description: str | None = None
    short_description: str | None = None
    category: str | None = None
    subcategory: str | None = None
    tags: tuple[str, ...] | None = None
    base_price: int | None = None
    cost_price: int | None = None
    dimensions: Dimensions = Dimensions()
    options: tuple[Option, ...] = ()
    stock: int | None = None
    images: tuple[Image, ...] | None = None
    status: ProductStatus | None = None


class RowRejected(Struct, frozen=True, kw_only=True):
    """A row that is not taken, and why. `column` is the file's own heading; None when the whole row is at fault."""

    line: int
    column: str | None
    value: str
    code: str
    reason: str
    remedy: str


class _CellRefused(Exception):
    def __init__(self, column: str | None, value: str, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.column, self.value, self.refusal = column, value, refusal


def rejected(line: int, column: str | None, value: str, refusal: Refusal) -> RowRejected:
    """A refusal at a place in a file. Long values are cut, undecodable bytes shown as question marks."""
    shown = value if len(value) <= _SHOWN else value[:_SHOWN] + "..."
    return RowRejected(
        line=line,
        column=column,
        value=shown.encode("utf-8", "replace").decode(),
        code=refusal.code,
        reason=str(refusal).encode("utf-8", "replace").decode(),
        remedy=refusal.remedy,
    )


def read_row(header: Header, line: int, cells: Sequence[str]) -> CatalogueRow | RowRejected:
    """One row under a header. The first cell that cannot be used rejects the row."""
    try:
        return _Reader(header, cells).row(line)
    except _CellRefused as refused:
        return rejected(line, refused.column, refused.value, refused.refusal)


class _Reader:
    def __init__(self, header: Header, cells: Sequence[str]) -> None:
        if len(cells) != len(header.headings):
            message = f"the row has {len(cells)} cells, the headings are {len(header.headings)}"
            raise _CellRefused(None, "", TooManyCells(message))
        self._header = header
        self._texts: dict[Column, str] = {}
        for heading, column, cell in zip(header.headings, header.columns, cells, strict=True):
            self._collect(heading, column, cell.replace("\r\n", "\n").strip())

    def _collect(self, heading: str, column: Column | None, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise _CellRefused(heading, text, NotUtf8("the cell is not UTF-8")) from error
        if column is None or not text:
            return
        if column in _NUMBERS and _NEGATIVE.fullmatch(text):
            raise _CellRefused(heading, text, NegativeNumber(f"{text!r} is below zero"))
        # "-1" is what one source writes for a private product, and no spreadsheet makes a formula of it.
        if text.startswith(_FORMULA) and not (column is Column.STATUS and text.casefold() in STATUSES):
            raise _CellRefused(heading, text, Formula(f"the cell begins with {text[0]!r} as a formula does"))
        several = self._texts.get(column)
        self._texts[column] = text if several is None else f"{several}{self._header.layout.separator}{text}"

    def row(self, line: int) -> CatalogueRow:
        sku = self._required(Column.SKU, read_sku)
        kind = self._kind(sku)
        category, subcategory = self._shelf()
        # Where a file has parent rows, they speak for the product; a variant's texts repeat its options.
        speaks = not self._header.layout.types or kind is not RowKind.VARIANT
        needs_price = kind is not RowKind.PARENT and not self._header.layout.keeps_blanks
        return CatalogueRow(
            line=line,
            kind=kind,
            sku=sku,
            product_sku=self._required(Column.PRODUCT_SKU, read_sku) if kind is RowKind.VARIANT else sku,
            name=self._value(Column.NAME, read_name) if speaks else None,
            description=self._text(Column.DESCRIPTION) if speaks else None,
            short_description=self._text(Column.SHORT_DESCRIPTION) if speaks else None,
            category=category,
            subcategory=subcategory,
            tags=self._value(Column.TAGS, self._tags),
            base_price=self._required(Column.BASE_PRICE, read_price) if needs_price else self._price(Column.BASE_PRICE),
            cost_price=self._price(Column.COST_PRICE),
            dimensions=self._dimensions(),
            options=self._options(kind),
            stock=self._value(Column.STOCK, read_stock),
            images=self._value(Column.IMAGE_URLS, self._images),
            status=self._value(Column.STATUS, read_status),
        )

    def _value(self, column: Column, read: Callable[[str], T]) -> T | None:
        text = self._texts.get(column)
        if text is None:
            return None
        try:
            return read(text)
        except Refusal as refusal:
            raise _CellRefused(self._header.heading_of(column), text, refusal) from refusal

    def _required(self, column: Column, read: Callable[[str], T]) -> T:
        value = self._value(column, read)
        if value is None:
            heading = self._header.heading_of(column)
            raise _CellRefused(heading, "", MissingValue(f"{heading} is blank"))
        return value

    def _kind(self, sku: str) -> RowKind:
        types = self._header.layout.types
        if not types:
            parent = self._texts.get(Column.PRODUCT_SKU, "")
            return RowKind.VARIANT if parent.casefold() not in {"", sku.casefold()} else RowKind.ALONE
        said = self._required(Column.TYPE, str)
        kind = next((types[word.strip()] for word in said.casefold().split(",") if word.strip() in types), None)
        if kind is None or kind is RowKind.UNSUPPORTED:
            heading = self._header.heading_of(Column.TYPE)
            raise _CellRefused(heading, said, UnsupportedRow(f"a product of type {said!r} cannot be imported"))
        return kind

    def _text(self, column: Column) -> str | None:
        return self._value(column, lambda text: read_text(str(column), text))

    def _price(self, column: Column) -> int | None:
        return self._value(column, read_price)

    def _shelf(self) -> tuple[str | None, str | None]:
        if Column.CATEGORY_PATH not in self._texts:
            return self._value(Column.CATEGORY, read_shelf), self._value(Column.SUBCATEGORY, read_shelf)
        first = self._texts[Column.CATEGORY_PATH].split(self._header.layout.separator)[0]
        category, *below = (part.strip() for part in first.split(">"))
        self._texts |= {Column.CATEGORY: category, Column.SUBCATEGORY: " > ".join(below)}
        subcategory = self._value(Column.SUBCATEGORY, read_shelf) or None
        return self._value(Column.CATEGORY, read_shelf), subcategory

    def _tags(self, text: str) -> tuple[str, ...]:
        tags = tuple(dict.fromkeys(self._parts(text)))
        check_tags(tags)
        return tags

    def _images(self, text: str) -> tuple[Image, ...]:
        """The first is the primary one."""
        images = tuple(Image(url, primary=place == 0) for place, url in enumerate(dict.fromkeys(self._parts(text))))
        check_images(images)
        return images

    def _parts(self, text: str) -> list[str]:
        return [part.strip() for part in text.split(self._header.layout.separator) if part.strip()]

    def _dimensions(self) -> Dimensions:
        in_grams = self._value(Column.WEIGHT_G, lambda text: read_weight(Decimal(read_whole(text)) / 1000))
        return Dimensions(
            weight_kg=self._value(Column.WEIGHT_KG, lambda text: read_weight(read_measure(text)))
            if in_grams is None
            else in_grams,
            length_cm=self._value(Column.LENGTH_CM, read_length),
            width_cm=self._value(Column.WIDTH_CM, read_length),
            height_cm=self._value(Column.HEIGHT_CM, read_length),
        )

    def _options(self, kind: RowKind) -> tuple[Option, ...]:
        """Only variants have options; sources with row types list all choices on the others, and "any" as a blank."""
        typed = bool(self._header.layout.types)
        if typed and kind is not RowKind.VARIANT:
            return ()
        options = []
        for name_column, value_column in _OPTIONS:
            name, value = self._text(name_column), self._text(value_column)
            if (name is None and value is None) or (typed and value is None):
                continue
            if name is None or value is None or kind is not RowKind.VARIANT:
                heading = self._header.heading_of(value_column)
                raise _CellRefused(heading, value or name or "", IncompleteOption("the option is not complete"))
            options.append(Option(name, value))
        return tuple(options)
