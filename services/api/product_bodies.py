"""Products as bodies have them. Strict: what the API does not know is refused, not dropped."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from domain.product.commands import ChangeProduct, CreateProduct
from domain.product.events import Override
from domain.values import Dimensions, Image, Option, ProductStatus, Variant
from services.api.commands import Version

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
