"""What each event makes of a product, and which of its fields each event touches."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import asdict, replace

from domain.product import events
from domain.product.state import NotCreated, Product, ProductState
from domain.values import ProductStatus


def evolve(state: ProductState, event: events.ProductEvent) -> ProductState:
    match state, event:
        case NotCreated(), events.ProductCreated():
            return Product(**asdict(event))
        case NotCreated(), _:
            return state
        case Product(), _:
            return _evolve(state, event)
        case _:
            assert_never(state)


def _evolve(product: Product, event: events.ProductEvent) -> Product:  # noqa: C901, PLR0911, PLR0912  # one arm an event
    match event:
        case events.ProductCreated():
            return product
        case events.ProductRenamed(new=name):
            return replace(product, name=name)
        case events.ProductDescribed(new=texts):
            return replace(product, short_description=texts.short_description, description=texts.description)
        case events.BasePriceChanged(new=price):
            return replace(product, base_price=price)
        case events.CostPriceChanged(new=cost):
            return replace(product, cost_price=cost)
        case events.DimensionsChanged(new=dimensions):
            return replace(product, dimensions=dimensions)
        case events.ProductCategorised(new=shelf):
            return replace(product, category=shelf.category, subcategory=shelf.subcategory)
        case events.ProductTagged(new=tags):
            return replace(product, tags=tags)
        case events.ImagesChanged(new=images):
            return replace(product, images=images)
        case events.VariantAdded(variant=variant):
            return replace(product, variants=(*product.variants, variant))
        case events.VariantChanged(old=old, new=variant):
            changed = tuple(variant if v.sku == old.sku else v for v in product.variants)
            return replace(product, variants=changed)
        case events.VariantRemoved(variant=variant):
            return replace(product, variants=tuple(v for v in product.variants if v.sku != variant.sku))
        case events.PlatformOverrideChanged(platform=platform, new=override):
            return product.with_override(platform, override)
        case events.ProductActivated():
            return replace(product, status=ProductStatus.ACTIVE)
        case events.ProductDeactivated():
            return replace(product, status=ProductStatus.INACTIVE)
        case events.ProductArchived(old=old):
            return replace(product, status=ProductStatus.ARCHIVED, status_before_archive=old)
        case events.ProductRestored(new=status):
            return replace(product, status=status, status_before_archive=None)
        case _:
            assert_never(event)


def fields_of(event: events.ProductEvent) -> frozenset[str]:  # noqa: C901, PLR0911, PLR0912  # one arm an event
    """What a caller who did not know of the event may be surprised by; see `ChangeProduct` for the names."""
    match event:
        case events.ProductCreated():
            return frozenset({"product"})
        case events.ProductRenamed():
            return frozenset({"name"})
        case events.ProductDescribed(old=old, new=new):
            return _differing(asdict(old), asdict(new))
        case events.ProductCategorised(old=shelf, new=moved):
            return _differing(asdict(shelf), asdict(moved))
        case events.BasePriceChanged():
            return frozenset({"base_price"})
        case events.CostPriceChanged():
            return frozenset({"cost_price"})
        case events.DimensionsChanged():
            return frozenset({"dimensions"})
        case events.ProductTagged():
            return frozenset({"tags"})
        case events.ImagesChanged():
            return frozenset({"images"})
        case events.VariantAdded() | events.VariantChanged() | events.VariantRemoved():
            return frozenset({"variants"})
        case events.PlatformOverrideChanged(platform=platform):
            return frozenset({f"overrides.{platform}"})
        case (
            events.ProductActivated()
            | events.ProductDeactivated()
            | events.ProductArchived()
            | events.ProductRestored()
        ):
            return frozenset({"status"})
        case _:
            assert_never(event)


def _differing(old: dict[str, object], new: dict[str, object]) -> frozenset[str]:
    return frozenset(name for name, value in new.items() if old[name] != value)
