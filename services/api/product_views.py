"""Products as answers have them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from domain.values import Dimensions, Image, ProductStatus, Variant
from projections.catalogue.projector import CatalogueRow
from projections.reading import Freshness
from projections.set_aside import SetAside
from services.api.explained import SetAsideView, set_aside_views


class OverrideView(Struct, frozen=True, kw_only=True):
    name: str | None
    description: str | None
    prices: dict[str, int]


class ProductSummary(Struct, frozen=True, kw_only=True):
    """A product as lists show it."""

    id: str
    version: int
    sku: str
    name: str
    base_price: int
    currency: str
    status: ProductStatus
    category: str
    subcategory: str
    tags: tuple[str, ...]
    skus: tuple[str, ...]
    """What can be bought."""
    image: str | None
    created_at: datetime
    updated_at: datetime


class ProductView(Struct, frozen=True, kw_only=True):
    """A product, and how far the views were when it was read. `version` is also the ETag."""

    id: str
    version: int
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
    tags: tuple[str, ...]
    images: tuple[Image, ...]
    variants: tuple[Variant, ...]
    overrides: dict[str, OverrideView]
    status: ProductStatus
    created_at: datetime
    updated_at: datetime
    set_aside: tuple[SetAsideView, ...]
    position: int
    lag: int


def summary_of(row: CatalogueRow) -> ProductSummary:
    primary = next((image.url for image in row.images if image.primary), row.images[0].url if row.images else None)
    return ProductSummary(
        id=row.product_id,
        version=row.version,
        sku=row.sku,
        name=row.name,
        base_price=row.base_price,
        currency=row.currency,
        status=ProductStatus(row.status),
        category=row.category,
        subcategory=row.subcategory,
        tags=tuple(row.tags),
        skus=tuple(variant.sku for variant in row.variants) or (row.sku,),
        image=primary,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def view_of(row: CatalogueRow, freshness: Freshness, set_aside: Sequence[SetAside]) -> ProductView:
    return ProductView(
        id=row.product_id,
        version=row.version,
        sku=row.sku,
        name=row.name,
        base_price=row.base_price,
        currency=row.currency,
        cost_price=row.cost_price,
        short_description=row.short_description,
        description=row.description,
        dimensions=row.dimensions,
        category=row.category,
        subcategory=row.subcategory,
        tags=tuple(row.tags),
        images=row.images,
        variants=row.variants,
        overrides={
            platform: OverrideView(name=o.name, description=o.description, prices=dict(o.prices))
            for platform, o in row.overrides.items()
        },
        status=ProductStatus(row.status),
        created_at=row.created_at,
        updated_at=row.updated_at,
        set_aside=set_aside_views(set_aside),
        position=freshness.position,
        lag=freshness.lag,
    )
