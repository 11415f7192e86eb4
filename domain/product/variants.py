"""What a product sells: its variants, and the prices that platforms' overrides give for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from domain.errors import Refusal
from domain.product import events, limits
from domain.product.commands import SetPlatformOverride
from domain.product.state import Product
from domain.values import Variant


class UnknownVariant(Refusal):
    code = "variant_unknown"
    remedy = "Use the SKU of one of the product's variants."


class OverrideOfUnknownSku(Refusal):
    code = "override_sku_unknown"
    remedy = "Give prices for SKUs that are sold: those of the variants, or the product's own if it has none."


def change_variants(variants: tuple[Variant, ...], product: Product) -> Sequence[events.ProductEvent]:
    """From the variants there are to those there shall be, then overrides without the prices of lost SKUs."""
    limits.check_variants(product.sku, variants)
    old = {variant.sku.casefold(): variant for variant in product.variants}
    new = {variant.sku.casefold(): variant for variant in variants}
    changed: list[events.ProductEvent] = [
        events.VariantRemoved(variant=variant) for sku, variant in old.items() if sku not in new
    ]
    changed += [
        events.VariantChanged(old=old[sku], new=variant)
        for sku, variant in new.items()
        if sku in old and variant != old[sku]
    ]
    changed += [events.VariantAdded(variant=variant) for sku, variant in new.items() if sku not in old]
    sold = _spellings(replace(product, variants=variants))
    for platform, override in product.overrides:
        kept = _spelled((price for price in override.prices if price[0].casefold() in sold), sold)
        if kept != override.prices:
            changed.append(
                events.PlatformOverrideChanged(platform=platform, old=override, new=replace(override, prices=kept))
            )
    return changed


def set_override(command: SetPlatformOverride, product: Product) -> Sequence[events.ProductEvent]:
    limits.check_override(command.override)
    sold = _spellings(product)
    for sku, _ in command.override.prices:
        if sku.casefold() not in sold:
            raise OverrideOfUnknownSku(f"{sku!r} is not sold by product {product.sku}", field="prices", sku=sku)
    old = product.override_for(command.platform)
    new = replace(command.override, prices=_spelled(command.override.prices, sold))
    if new == old:
        return []
    return [events.PlatformOverrideChanged(platform=command.platform, old=old, new=new)]


def variant_of(product: Product, sku: str) -> Variant:
    """Raises UnknownVariant."""
    for variant in product.variants:
        if variant.sku.casefold() == sku.casefold():
            return variant
    raise UnknownVariant(f"product {product.sku} has no variant {sku!r}", sku=sku)


def _spellings(product: Product) -> Mapping[str, str]:
    """Each SKU that is sold as the product writes it, by the SKU without case."""
    return {variant.sku.casefold(): variant.sku for variant in product.sellables}


def _spelled(prices: Iterable[tuple[str, int]], spellings: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((spellings[sku.casefold()], price) for sku, price in prices))
