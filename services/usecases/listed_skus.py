"""SKUs as a listing writes them: its fields keep their names when the product writes a SKU in another case."""

from __future__ import annotations

from msgspec.structs import replace

from domain.listing.state import Listing, ListingState
from domain.product.state import Product


def skus_of(state: ListingState) -> frozenset[str]:
    """Those that fields of the listing are named by."""
    fields = state.fields if isinstance(state, Listing) else ()
    return frozenset(sku for _, _, sku in (name.partition(":") for name in fields) if sku)


def as_listed(product: Product, state: ListingState) -> Product:
    """The product with each SKU as the listing knows it, whatever its case; new ones as the product writes them."""
    known = skus_of(state)
    listed = {sku.casefold(): sku for sku in sorted(known)}
    written = {
        sku: sku if sku in known else listed.get(sku.casefold(), sku) for sku in (v.sku for v in product.variants)
    }
    if all(sku == as_known for sku, as_known in written.items()):
        return product
    return replace(
        product,
        variants=tuple(replace(variant, sku=written[variant.sku]) for variant in product.variants),
        overrides=tuple(
            (platform, replace(each, prices=tuple((written.get(sku, sku), price) for sku, price in each.prices)))
            for platform, each in product.overrides
        ),
    )
