"""Product facts -> one row per product."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from domain.events import DomainEvent
from domain.product import events as product
from domain.values import Dimensions, Image, Variant, identity_of
from projections.projection import Fact, Row, View, touch


class CatalogueRow(Row, kw_only=True):
    product_id: str
    sku: str
    name: str
    base_price: int
    currency: str
    cost_price: int | None
    short_description: str
    description: str
    dimensions: Dimensions
    category: str
    subcategory: str
    tags: list[str]
    images: tuple[Image, ...]
    variants: tuple[Variant, ...]
    overrides: dict[str, product.Override]
    status: str
    created_at: datetime
    created_position: int
    """Never changes, so pages can be told apart by it."""
    updated_at: datetime
    search: str
    """Every word by which the product can be found, in lower case; made anew before storing where a fact emptied it."""


def _with_search(row: CatalogueRow) -> CatalogueRow:
    if row.search:
        return row
    skus = (variant.sku for variant in row.variants)
    options = (option.value for variant in row.variants for option in variant.options)
    others = " ".join((row.sku, *skus, row.category, row.subcategory, *row.tags, *options)).lower()
    row.search = " ".join((row.name.lower(), *dict.fromkeys(others.split())))
    return row


def _created(fact: Fact, event: product.ProductCreated) -> CatalogueRow:
    return CatalogueRow(
        org_id=fact.org_id,
        version=fact.version,
        position=fact.position,
        product_id=identity_of(fact.stream_id),
        sku=event.sku,
        name=event.name,
        base_price=event.base_price,
        currency=event.currency,
        cost_price=event.cost_price,
        short_description=event.short_description,
        description=event.description,
        dimensions=event.dimensions,
        category=event.category,
        subcategory=event.subcategory,
        tags=list(event.tags),
        images=event.images,
        variants=event.variants,
        overrides={},
        status=event.status,
        created_at=fact.occurred_at,
        created_position=fact.position,
        updated_at=fact.occurred_at,
        search="",
    )


def _renamed(row: CatalogueRow, event: product.ProductRenamed) -> None:
    row.name = event.new


def _described(row: CatalogueRow, event: product.ProductDescribed) -> None:
    row.short_description = event.new.short_description
    row.description = event.new.description


def _base_price_changed(row: CatalogueRow, event: product.BasePriceChanged) -> None:
    row.base_price = event.new


def _cost_price_changed(row: CatalogueRow, event: product.CostPriceChanged) -> None:
    row.cost_price = event.new


def _dimensions_changed(row: CatalogueRow, event: product.DimensionsChanged) -> None:
    row.dimensions = event.new


def _categorised(row: CatalogueRow, event: product.ProductCategorised) -> None:
    row.category = event.new.category
    row.subcategory = event.new.subcategory


def _tagged(row: CatalogueRow, event: product.ProductTagged) -> None:
    row.tags = list(event.new)


def _images_changed(row: CatalogueRow, event: product.ImagesChanged) -> None:
    row.images = event.new


def _variant_added(row: CatalogueRow, event: product.VariantAdded) -> None:
    row.variants = (*row.variants, event.variant)


def _variant_changed(row: CatalogueRow, event: product.VariantChanged) -> None:
    row.variants = tuple(event.new if variant.sku == event.old.sku else variant for variant in row.variants)


def _variant_removed(row: CatalogueRow, event: product.VariantRemoved) -> None:
    row.variants = tuple(variant for variant in row.variants if variant.sku != event.variant.sku)


def _override_changed(row: CatalogueRow, event: product.PlatformOverrideChanged) -> None:
    others = {platform: kept for platform, kept in row.overrides.items() if platform != event.platform}
    kept = {} if event.new == product.Override() else {str(event.platform): event.new}
    row.overrides = dict(sorted((others | kept).items()))


def _activated(row: CatalogueRow, _event: product.ProductActivated) -> None:
    row.status = "active"


def _deactivated(row: CatalogueRow, _event: product.ProductDeactivated) -> None:
    row.status = "inactive"


def _archived(row: CatalogueRow, _event: product.ProductArchived) -> None:
    row.status = "archived"


def _restored(row: CatalogueRow, event: product.ProductRestored) -> None:
    row.status = event.new


_CHANGES: Final[dict[type, Callable[[CatalogueRow, Any], None]]] = {
    product.ProductRenamed: _renamed,
    product.ProductDescribed: _described,
    product.BasePriceChanged: _base_price_changed,
    product.CostPriceChanged: _cost_price_changed,
    product.DimensionsChanged: _dimensions_changed,
    product.ProductCategorised: _categorised,
    product.ProductTagged: _tagged,
    product.ImagesChanged: _images_changed,
    product.VariantAdded: _variant_added,
    product.VariantChanged: _variant_changed,
    product.VariantRemoved: _variant_removed,
    product.PlatformOverrideChanged: _override_changed,
    product.ProductActivated: _activated,
    product.ProductDeactivated: _deactivated,
    product.ProductArchived: _archived,
    product.ProductRestored: _restored,
}


_CHANGES_WORDS: Final = frozenset(
    {
        product.ProductRenamed,
        product.ProductCategorised,
        product.ProductTagged,
        product.VariantAdded,
        product.VariantChanged,
        product.VariantRemoved,
    }
)


def fold(row: CatalogueRow | None, fact: Fact, event: DomainEvent) -> CatalogueRow | None:
    if isinstance(event, product.ProductCreated):
        return _created(fact, event)
    if row is None:
        return None
    kind = type(event)
    change = _CHANGES.get(kind)
    if change is not None:
        change(row, event)
        row.updated_at = fact.occurred_at
        if kind in _CHANGES_WORDS:
            row.search = ""
    touch(row, fact)
    return row


def key_of(fact: Fact, _event: DomainEvent) -> str:
    return identity_of(fact.stream_id)


CATALOGUE: Final = View(
    name="catalogue",
    shape=2,
    categories=("product",),
    row=CatalogueRow,
    key="product_id",
    key_of=key_of,
    fold=fold,
    freeze=_with_search,
    folder=Path(__file__).parent,
)
