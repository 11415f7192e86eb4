"""What has happened to a product. Every change tells the old and the new value. Prices are whole rupiah."""

from __future__ import annotations

from msgspec import Struct

from domain.values import Dimensions, Image, Platform, ProductStatus, Variant


class ProductCreated(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    name: str
    base_price: int
    currency: str = "IDR"
    cost_price: int | None = None
    short_description: str = ""
    description: str = ""
    dimensions: Dimensions = Dimensions()
    category: str = ""
    subcategory: str = ""
    tags: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    variants: tuple[Variant, ...] = ()
    """Empty for a product without variants: it is then sold under its own SKU."""
    status: ProductStatus = ProductStatus.ACTIVE


class ProductRenamed(Struct, frozen=True, kw_only=True):
    old: str
    new: str


class Texts(Struct, frozen=True, kw_only=True):
    short_description: str = ""
    description: str = ""


class ProductDescribed(Struct, frozen=True, kw_only=True):
    old: Texts
    new: Texts


class BasePriceChanged(Struct, frozen=True, kw_only=True):
    old: int
    new: int


class CostPriceChanged(Struct, frozen=True, kw_only=True):
    old: int | None
    new: int | None


class DimensionsChanged(Struct, frozen=True, kw_only=True):
    old: Dimensions
    new: Dimensions


class Shelf(Struct, frozen=True, kw_only=True):
    """Where a product stands in the seller's own order of things."""

    category: str = ""
    subcategory: str = ""


class ProductCategorised(Struct, frozen=True, kw_only=True):
    old: Shelf
    new: Shelf


class ProductTagged(Struct, frozen=True, kw_only=True):
    old: tuple[str, ...]
    new: tuple[str, ...]


class ImagesChanged(Struct, frozen=True, kw_only=True):
    old: tuple[Image, ...]
    new: tuple[Image, ...]


class VariantAdded(Struct, frozen=True, kw_only=True):
    variant: Variant


class VariantChanged(Struct, frozen=True, kw_only=True):
    """The SKU stays but for its case; it names the variant."""

    old: Variant
    new: Variant


class VariantRemoved(Struct, frozen=True, kw_only=True):
    variant: Variant


class Override(Struct, frozen=True, kw_only=True):
    """What one platform shows instead of the master's value; a field left None follows the master.

    `prices` are final shop prices in whole rupiah, as (SKU, price); they bypass the pricing rule (R19).
    """

    name: str | None = None
    description: str | None = None
    prices: tuple[tuple[str, int], ...] = ()


class PlatformOverrideChanged(Struct, frozen=True, kw_only=True):
    platform: Platform
    old: Override
    new: Override


class ProductActivated(Struct, frozen=True, kw_only=True):
    old: ProductStatus


class ProductDeactivated(Struct, frozen=True, kw_only=True):
    old: ProductStatus


class ProductArchived(Struct, frozen=True, kw_only=True):
    old: ProductStatus
    reason: str = ""


class ProductRestored(Struct, frozen=True, kw_only=True):
    """Back from the archive, to the status it had before."""

    new: ProductStatus


ProductEvent = (
    ProductCreated
    | ProductRenamed
    | ProductDescribed
    | BasePriceChanged
    | CostPriceChanged
    | DimensionsChanged
    | ProductCategorised
    | ProductTagged
    | ImagesChanged
    | VariantAdded
    | VariantChanged
    | VariantRemoved
    | PlatformOverrideChanged
    | ProductActivated
    | ProductDeactivated
    | ProductArchived
    | ProductRestored
)
