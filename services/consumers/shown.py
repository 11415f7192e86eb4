"""An item as a platform tells it -> the fields of a listing."""

from __future__ import annotations

from domain.listing.desired import grams
from domain.listing.diff import external_variants
from domain.listing.events import ExternalVariant, Value
from domain.listing.fields import DESCRIPTION, LISTED, TITLE, WEIGHT, price_field, stock_field
from domain.listing.state import Listing
from infrastructure.platforms.connector import ExternalListing, ListingStatus
from services.usecases.listed_skus import skus_of


def shown_values(listing: Listing, item: ExternalListing) -> dict[str, Value]:
    """Values of the fields that both sides speak of.

    Pictures are left out: platforms show them under addresses of their own.
    """
    values: dict[str, Value] = {
        TITLE: item.title,
        DESCRIPTION: item.description,
        LISTED: item.status in (ListingStatus.LIVE, ListingStatus.IN_REVIEW),
    }
    if item.weight_kg is not None:
        values[WEIGHT] = grams(item.weight_kg)
    skus = {external_id: sku for sku, external_id in external_variants(listing).items()}
    for variant in item.variants:
        sku = skus.get(variant.external_id)
        if sku is not None:
            values[price_field(sku)] = variant.price
            values[stock_field(sku)] = variant.stock
    return values


def added_variants(listing: Listing, item: ExternalListing) -> tuple[ExternalVariant, ...]:
    """Variants of the item that the listing wants and has not known there."""
    known = external_variants(listing)
    missing = {
        sku.casefold(): sku
        for sku in skus_of(listing)
        if sku not in known and listing.field(price_field(sku)).target is not None
    }
    return tuple(
        ExternalVariant(missing[variant.sku.casefold()], variant.external_id)
        for variant in item.variants
        if variant.sku.casefold() in missing
    )
