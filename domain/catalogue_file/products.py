"""Rows that belong together make a product: what they share, and the variants in which they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from domain.catalogue_file.cells import MissingValue, RepeatedInFile
from domain.catalogue_file.columns import Column, RowKind
from domain.catalogue_file.rows import CatalogueRow, RowRejected, rejected
from domain.errors import Refusal
from domain.product.commands import CreateProduct
from domain.product.limits import MAX_IMAGES, MAX_VARIANTS
from domain.values import Dimensions, Image, Option, ProductStatus, Variant

T = TypeVar("T")

_SHARED: Final = ("name", "description", "short_description", "category", "subcategory", "status")


class VariantRow(Struct, frozen=True, kw_only=True):
    line: int
    sku: str
    options: tuple[Option, ...]
    base_price: int | None = None
    """None where the cell was blank."""


class ProductRows(Struct, frozen=True, kw_only=True):
    """A product as its rows describe it. None stands for cells that were all blank."""

    sku: str
    lines: tuple[int, ...]
    name: str | None = None
    description: str | None = None
    short_description: str | None = None
    category: str | None = None
    subcategory: str | None = None
    tags: tuple[str, ...] | None = None
    base_price: int | None = None
    """Of the product's own row; without one, of the cheapest variant."""
    cost_price: int | None = None
    """Likewise, of the dearest: nothing is then sold below cost unnoticed."""
    dimensions: Dimensions = Dimensions()
    """Likewise, each measure the largest: what a parcel has to be prepared for."""
    images: tuple[Image, ...] | None = None
    status: ProductStatus | None = None
    variants: tuple[VariantRow, ...] = ()
    stock: tuple[tuple[str, int], ...] = ()
    """Pieces by SKU, where given; of the variants alone where there are any, since nothing else is sold then."""
    has_own_row: bool = False
    """True when a row is of the product itself: a variant whose price is blank then follows the product's."""


class VariantsDisagree(Refusal):
    code = "variants_disagree"
    remedy = "Rows of one product share name, texts, category and status, and differ in the values of the same options."


class NoVariants(Refusal):
    code = "variants_missing"
    remedy = "Add the rows of its variants, or give it a price of its own."


def group_products(rows: Iterable[CatalogueRow]) -> Iterator[ProductRows | RowRejected]:
    """Products in the order in which they first appear, their rows standing together or apart.

    A row that contradicts an earlier one of its product is rejected alone. All rows are held until the last is read.
    """
    gathered: dict[str, list[CatalogueRow]] = {}
    for row in rows:
        gathered.setdefault(row.product_sku.casefold(), []).append(row)
    for together in gathered.values():
        yield from _product(together)


def new_product(rows: ProductRows, product_id: str) -> CreateProduct | RowRejected:
    """The command that creates the product, unless something is blank that a new product needs."""
    unpriced = next((v for v in rows.variants if v.base_price is None and not rows.has_own_row), None)
    if rows.name is None:
        return rejected(rows.lines[0], Column.NAME, "", MissingValue(f"{rows.sku} is new and has no name"))
    if rows.base_price is None or unpriced is not None:
        line, sku = (rows.lines[0], rows.sku) if unpriced is None else (unpriced.line, unpriced.sku)
        return rejected(line, Column.BASE_PRICE, "", MissingValue(f"{sku} is new and has no price"))
    return CreateProduct(
        product_id=product_id,
        sku=rows.sku,
        name=rows.name,
        base_price=rows.base_price,
        cost_price=rows.cost_price,
        short_description=rows.short_description or "",
        description=rows.description or "",
        dimensions=rows.dimensions,
        category=rows.category or "",
        subcategory=rows.subcategory or "",
        tags=rows.tags or (),
        images=rows.images or (),
        variants=tuple(
            Variant(sku=v.sku, options=v.options, base_price=None if v.base_price == rows.base_price else v.base_price)
            for v in rows.variants
        ),
        status=rows.status or ProductStatus.ACTIVE,
    )


def _product(rows: Sequence[CatalogueRow]) -> Iterator[ProductRows | RowRejected]:
    own = next((row for row in rows if row.kind is not RowKind.VARIANT), None)
    taken = [] if own is None else [own]
    for row in rows:
        if row is own:
            continue
        fault = _fault(row, own, taken)
        if fault is None:
            taken.append(row)
        else:
            yield rejected(row.line, None, row.sku, fault)
    if own is not None and own.kind is RowKind.PARENT and len(taken) == 1:
        yield rejected(own.line, None, own.sku, NoVariants(f"{own.sku} has neither a price nor variants with prices"))
    else:
        yield _merged(own, [row for row in taken if row is not own])


def _fault(row: CatalogueRow, own: CatalogueRow | None, taken: Sequence[CatalogueRow]) -> Refusal | None:
    """What keeps a row from being one more variant of the product whose rows were taken so far."""
    variants = [other for other in taken if other is not own]
    if own is not None and row.kind is not RowKind.VARIANT:
        return RepeatedInFile(f"SKU {row.sku!r} is in line {own.line} and in line {row.line}")
    if len(variants) == MAX_VARIANTS:
        return VariantsDisagree(f"{row.product_sku} has more than {MAX_VARIANTS} variants")
    for other in taken:
        for field in _SHARED:
            ours, theirs = getattr(row, field), getattr(other, field)
            if None not in (ours, theirs) and ours != theirs:
                return VariantsDisagree(f"its {field} is not that of line {other.line}")
    for other in variants:
        if [option.name for option in other.options] != [option.name for option in row.options]:
            return VariantsDisagree(f"its options are not those of line {other.line}")
        if _values(other) == _values(row):
            return VariantsDisagree(f"its options have the same values as in line {other.line}")
    return None


def _values(row: CatalogueRow) -> list[str]:
    return [option.value.casefold() for option in row.options]


def _merged(own: CatalogueRow | None, variants: Sequence[CatalogueRow]) -> ProductRows:
    rows = [own, *variants] if own else [*variants]
    said = {field: next(iter(_given(getattr(row, field) for row in rows)), None) for field in _SHARED}
    prices = _given([own.base_price] if own else []) or _given(row.base_price for row in variants)
    costs = _given([own.cost_price] if own else []) or _given(row.cost_price for row in variants)
    measures = {field: _given(getattr(row.dimensions, field) for row in rows) for field in Dimensions.__struct_fields__}
    own_measures = own.dimensions if own else Dimensions()
    return ProductRows(
        sku=rows[0].product_sku,
        lines=tuple(row.line for row in rows),
        **said,
        tags=_united(row.tags for row in rows),
        images=_pictures(own, variants),
        base_price=min(prices, default=None),
        cost_price=max(costs, default=None),
        dimensions=Dimensions(
            **{field: getattr(own_measures, field) or max(found, default=None) for field, found in measures.items()}
        ),
        variants=tuple(
            VariantRow(line=row.line, sku=row.sku, options=row.options, base_price=row.base_price) for row in variants
        ),
        stock=tuple((row.sku, row.stock) for row in variants or rows if row.stock is not None),
        has_own_row=own is not None,
    )


def _pictures(own: CatalogueRow | None, variants: Sequence[CatalogueRow]) -> tuple[Image, ...] | None:
    if own is not None and own.images is not None:
        return own.images
    images = _united(row.images for row in variants)
    if images is None:
        return None
    urls = list(dict.fromkeys(image.url for image in images))[:MAX_IMAGES]
    return tuple(Image(url, primary=place == 0) for place, url in enumerate(urls))


def _united(several: Iterable[tuple[T, ...] | None]) -> tuple[T, ...] | None:
    """All of them in order, each once; None when there were none to unite."""
    given = _given(several)
    return tuple(dict.fromkeys(one for many in given for one in many)) if given else None


def _given(values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]
