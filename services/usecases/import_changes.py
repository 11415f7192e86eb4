"""What a file's rows change of a product that is there: what they say, while blank cells keep what is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from domain.catalogue_file.products import ProductRows
from domain.errors import Refusal
from domain.product.commands import ChangeProduct, ChangeVariant, ProductCommand, ReplaceVariants
from domain.product.decider import decide
from domain.product.state import Product
from domain.values import Dimensions, Variant

T = TypeVar("T")


class SkuOfVariant(Refusal):
    code = "sku_is_variant"
    remedy = "Name the product in its own column, or give nothing but the SKU, price and stock."


def changes_to(rows: ProductRows, product: Product) -> Sequence[ProductCommand]:
    """Commands to be decided in turn. Variants that the rows do not name stay as they are. Raises SkuOfVariant."""
    if rows.sku.casefold() != product.sku.casefold():
        return _to_one_variant(rows, product)
    base_price = _base_price(rows, product)
    change = replace(_shared(rows, product), base_price=base_price)
    if not rows.variants:
        return [change]
    return [change, ReplaceVariants(variants=_variants(rows, product, base_price))]


def _to_one_variant(rows: ProductRows, product: Product) -> Sequence[ProductCommand]:
    if rows.variants or decide(_shared(rows, product), product):
        raise SkuOfVariant(f"{rows.sku!r} is a variant of product {product.sku}", sku=rows.sku, product=product.sku)
    if rows.base_price is None:
        return []
    variant = next(one for one in product.variants if one.sku.casefold() == rows.sku.casefold())
    if product.price_of(variant) == rows.base_price:
        return []
    price = None if rows.base_price == product.base_price else rows.base_price
    return [ChangeVariant(sku=rows.sku, base_price=price)]


def _shared(rows: ProductRows, product: Product) -> ChangeProduct:
    return ChangeProduct(
        name=_or_unset(rows.name),
        short_description=_or_unset(rows.short_description),
        description=_or_unset(rows.description),
        cost_price=_or_unset(rows.cost_price),
        dimensions=_dimensions(rows.dimensions, product.dimensions),
        category=_or_unset(rows.category),
        subcategory=_or_unset(rows.subcategory),
        tags=_or_unset(rows.tags),
        images=_or_unset(rows.images),
        status=_or_unset(rows.status),
    )


def _base_price(rows: ProductRows, product: Product) -> int:
    """Without a row of its own, a product's price is that of its cheapest variant, of which all must then be known."""
    has_own_row = len(rows.lines) > len(rows.variants)
    named = {variant.sku.casefold() for variant in rows.variants if variant.base_price is not None}
    knows_all = all(variant.sku.casefold() in named for variant in product.variants)
    if rows.base_price is None or not (has_own_row or knows_all):
        return product.base_price
    return rows.base_price


def _variants(rows: ProductRows, product: Product, base_price: int) -> tuple[Variant, ...]:
    known = {variant.sku.casefold(): variant for variant in product.variants}
    merged = dict(known)
    for row in rows.variants:
        old = known.get(row.sku.casefold())
        price = row.base_price if row.base_price != base_price else None
        if old is not None and (row.base_price is None or _costs(old, base_price) == row.base_price):
            price = old.base_price
        merged[row.sku.casefold()] = Variant(
            sku=row.sku if old is None else old.sku,
            options=row.options or (() if old is None else old.options),
            base_price=price,
        )
    return tuple(merged.values())


def _costs(variant: Variant, base_price: int) -> int:
    return base_price if variant.base_price is None else variant.base_price


def _dimensions(said: Dimensions, known: Dimensions) -> Dimensions:
    def measure(name: str) -> object:
        value = getattr(said, name)
        return getattr(known, name) if value is None else value

    return Dimensions(**{name: measure(name) for name in Dimensions.__struct_fields__})  # type: ignore[arg-type]  # each measure keeps its type


def _or_unset(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value
