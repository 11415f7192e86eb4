"""What can be asked of a product. A field left UNSET keeps its value."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from domain.product.events import Override
from domain.values import Dimensions, Image, Option, Platform, ProductStatus, Variant


class CreateProduct(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    name: str
    base_price: int
    """Whole rupiah."""
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
    status: ProductStatus = ProductStatus.ACTIVE


class ChangeProduct(Struct, frozen=True, kw_only=True):
    """Only what differs becomes events. Archiving is a command of its own."""

    name: str | UnsetType = UNSET
    short_description: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    base_price: int | UnsetType = UNSET
    cost_price: int | UnsetType | None = UNSET
    dimensions: Dimensions | UnsetType = UNSET
    category: str | UnsetType = UNSET
    subcategory: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    images: tuple[Image, ...] | UnsetType = UNSET
    variants: tuple[Variant, ...] | UnsetType = UNSET
    """As in ReplaceVariants."""
    status: ProductStatus | UnsetType = UNSET


class ReplaceVariants(Struct, frozen=True, kw_only=True):
    """The variants as they shall be; who is absent is removed. Their order is not kept."""

    variants: tuple[Variant, ...]


class AddVariant(Struct, frozen=True, kw_only=True):
    variant: Variant


class ChangeVariant(Struct, frozen=True, kw_only=True):
    """`base_price` None lets the variant follow the product's price again."""

    sku: str
    options: tuple[Option, ...] | UnsetType = UNSET
    base_price: int | UnsetType | None = UNSET


class RemoveVariant(Struct, frozen=True, kw_only=True):
    sku: str


class SetPlatformOverride(Struct, frozen=True, kw_only=True):
    """An empty override lets the platform follow the master again."""

    platform: Platform
    override: Override


class ArchiveProduct(Struct, frozen=True, kw_only=True):
    reason: str = ""


class RestoreProduct(Struct, frozen=True, kw_only=True):
    pass


ProductCommand = (
    CreateProduct
    | ChangeProduct
    | ReplaceVariants
    | AddVariant
    | ChangeVariant
    | RemoveVariant
    | SetPlatformOverride
    | ArchiveProduct
    | RestoreProduct
)
