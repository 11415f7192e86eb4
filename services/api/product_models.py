"""Products as bodies and answers have them. Bodies are strict: what the API does not know is refused, not dropped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from domain.product.commands import ChangeProduct, CreateProduct
from domain.product.events import Override
from domain.values import Dimensions, Image, Option, ProductStatus, Variant
from projections.catalogue.projector import CatalogueRow
from projections.reading import Freshness
from projections.set_aside import SetAside
from services.api.commands import Version
from services.api.explained import SetAsideView, set_aside_views

Status = Literal["active", "inactive"]


class OptionBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One property in which variants differ."""

    name: str
    value: str


class VariantBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is bought. `base_price`, whole rupiah, only where it differs from the product's."""

    sku: str
    options: tuple[OptionBody, ...] = ()
    base_price: int | None = None


class ImageBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    alt: str = ""
    primary: bool = False


class DimensionsBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weight in kilograms, lengths in centimetres; as numbers or, exactly, as texts."""

    weight_kg: Decimal | None = None
    length_cm: Decimal | None = None
    width_cm: Decimal | None = None
    height_cm: Decimal | None = None


class NewProduct(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product to be created. Prices are whole rupiah."""

    sku: str
    name: str
    base_price: int
    currency: str = "IDR"
    cost_price: int | None = None
    short_description: str = ""
    description: str = ""
    dimensions: DimensionsBody = DimensionsBody()
    category: str = ""
    subcategory: str = ""
    tags: tuple[str, ...] = ()
    images: tuple[ImageBody, ...] = ()
    variants: tuple[VariantBody, ...] = ()
    status: Status = "active"

    def command(self, product_id: str) -> CreateProduct:
        return CreateProduct(
            product_id=product_id,
            sku=self.sku,
            name=self.name,
            base_price=self.base_price,
            currency=self.currency,
            cost_price=self.cost_price,
            short_description=self.short_description,
            description=self.description,
            dimensions=_dimensions(self.dimensions),
            category=self.category,
            subcategory=self.subcategory,
            tags=self.tags,
            images=_images(self.images),
            variants=_variants(self.variants),
            status=ProductStatus(self.status),
        )


class ProductReplacement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product as it shall be; what is left out becomes empty. SKU, currency and overrides stay.

    `expected_version` lets changes to other fields, made since that version, stand.
    """

    name: str
    base_price: int
    cost_price: int | None = None
    short_description: str = ""
    description: str = ""
    dimensions: DimensionsBody = DimensionsBody()
    category: str = ""
    subcategory: str = ""
    tags: tuple[str, ...] = ()
    images: tuple[ImageBody, ...] = ()
    variants: tuple[VariantBody, ...] = ()
    status: Status = "active"
    expected_version: Version | None = None

    def command(self) -> ChangeProduct:
        return ChangeProduct(
            name=self.name,
            base_price=self.base_price,
            cost_price=self.cost_price,
            short_description=self.short_description,
            description=self.description,
            dimensions=_dimensions(self.dimensions),
            category=self.category,
            subcategory=self.subcategory,
            tags=self.tags,
            images=_images(self.images),
            variants=_variants(self.variants),
            status=ProductStatus(self.status),
        )


class Changes(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall change of a product; fields left out stay. Lists, and `dimensions`, are given whole."""

    name: str | UnsetType = UNSET
    base_price: int | UnsetType = UNSET
    cost_price: int | UnsetType | None = UNSET
    short_description: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    dimensions: DimensionsBody | UnsetType = UNSET
    category: str | UnsetType = UNSET
    subcategory: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    images: tuple[ImageBody, ...] | UnsetType = UNSET
    variants: tuple[VariantBody, ...] | UnsetType = UNSET
    status: Status | UnsetType = UNSET

    def command(self) -> ChangeProduct:
        return ChangeProduct(
            name=self.name,
            base_price=self.base_price,
            cost_price=self.cost_price,
            short_description=self.short_description,
            description=self.description,
            dimensions=UNSET if self.dimensions is UNSET else _dimensions(self.dimensions),
            category=self.category,
            subcategory=self.subcategory,
            tags=self.tags,
            images=UNSET if self.images is UNSET else _images(self.images),
            variants=UNSET if self.variants is UNSET else _variants(self.variants),
            status=UNSET if self.status is UNSET else ProductStatus(self.status),
        )


class ProductChanges(Changes, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What shall change of a product; fields left out stay. Lists, and `dimensions`, are given whole.

    With `expected_version` the change is refused (409) if one of the same fields was changed since; with If-Match (412)
    if anything was.
    """

    expected_version: Version | None = None


class OverrideBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one platform shows instead; null follows the master. `prices`: final shop prices in whole rupiah by SKU."""

    name: str | None = None
    description: str | None = None
    prices: dict[str, int] = {}
    expected_version: Version | None = None

    def override(self) -> Override:
        return Override(name=self.name, description=self.description, prices=tuple(sorted(self.prices.items())))


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


def _dimensions(body: DimensionsBody) -> Dimensions:
    return Dimensions(**asdict(body))


def _images(bodies: Sequence[ImageBody]) -> tuple[Image, ...]:
    return tuple(Image(body.url, body.alt, body.primary) for body in bodies)


def _variants(bodies: Sequence[VariantBody]) -> tuple[Variant, ...]:
    return tuple(
        Variant(
            sku=body.sku,
            options=tuple(Option(option.name, option.value) for option in body.options),
            base_price=body.base_price,
        )
        for body in bodies
    )
