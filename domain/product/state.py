"""The situations a product can be in: not there yet, in the catalogue, archived."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from domain.product.events import Override
from domain.values import Dimensions, Image, Platform, ProductStatus, Variant


class NotCreated(Struct, frozen=True):
    """Nothing has happened yet."""


class Product(Struct, frozen=True, kw_only=True):
    """All that is known of a product. The fields are those of `ProductCreated`; see there."""

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
    overrides: tuple[tuple[Platform, Override], ...] = ()
    """Sorted by platform; a platform without overrides is absent."""
    status: ProductStatus = ProductStatus.ACTIVE
    status_before_archive: ProductStatus | None = None

    @property
    def sellables(self) -> tuple[Variant, ...]:
        """What can be bought: the variants, or the product itself under its own SKU."""
        return self.variants or (Variant(sku=self.sku),)

    def price_of(self, variant: Variant) -> int:
        """Base price in whole rupiah."""
        return self.base_price if variant.base_price is None else variant.base_price

    def override_for(self, platform: Platform) -> Override:
        return dict(self.overrides).get(platform, Override())

    def with_override(self, platform: Platform, override: Override) -> Product:
        others = {**dict(self.overrides), platform: override}
        kept = tuple(sorted((p, o) for p, o in others.items() if o != Override()))
        return replace(self, overrides=kept)


ProductState = NotCreated | Product
