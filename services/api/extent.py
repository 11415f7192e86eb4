"""Which listings a request is about, as whoever asks for it has named them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final

from msgspec import Meta, Struct

from domain.connection.decider import NoSuchConnection
from domain.errors import Refusal
from domain.listing.decider import NoSuchListing
from domain.product.decider import NoSuchProduct
from projections.listing_status.reader import ListingEntry, list_listings, read_listing
from services.api.catalogue import Words
from services.api.operations import Call
from services.api.problems import Fault, Problem

PAGE: Final = 500


class Extent(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which listings: one, those of a product, those of a shop, or of a product in a shop."""

    listing_id: Words | None = None
    product_id: Words | None = None
    connection_id: Words | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


async def listings_of(call: Call, extent: Extent) -> AsyncIterator[tuple[ListingEntry, ...]]:
    """Raises NoSuchListing when a listing was named that is not there."""
    pool, org_id = call.app.pool, call.org_id
    if extent.listing_id is not None:
        row = (await read_listing(pool, org_id, extent.listing_id)).found
        if row is None:
            raise NoSuchListing(f"there is no listing {extent.listing_id}")
        yield (row,)
        return
    products = () if extent.product_id is None else (extent.product_id,)
    cursor: str | None = None
    while True:
        page = await list_listings(
            pool, org_id, connection_id=extent.connection_id, product_ids=products, limit=PAGE, cursor=cursor
        )
        if page.items:
            yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return


def check_extent(extent: Extent) -> None:
    """Raises Problem."""
    if extent.listing_id is None and extent.product_id is None and extent.connection_id is None:
        fault = Fault(detail="Object takes at least one of listing_id, product_id, connection_id", pointer="")
        raise Problem("body_invalid", fault.detail, errors=[fault])
    if extent.listing_id is not None and (extent.product_id is not None or extent.connection_id is not None):
        fault = Fault(detail="A listing says which product and shop; leave those out", pointer="/listing_id")
        raise Problem("body_invalid", fault.detail, errors=[fault])


async def check_known(call: Call, extent: Extent) -> None:
    """Raises NoSuchConnection or NoSuchProduct, which name whatever of the two is unknown."""
    unknown: dict[str, str] = {}
    refusal: type[Refusal] | None = None
    if extent.product_id is not None:
        try:
            await call.app.products.get(call.org_id, extent.product_id)
        except NoSuchProduct:
            unknown["product_id"], refusal = extent.product_id, NoSuchProduct
    if extent.connection_id is not None:
        try:
            await call.app.connections.get(call.org_id, extent.connection_id)
        except NoSuchConnection:
            unknown["connection_id"], refusal = extent.connection_id, NoSuchConnection
    if refusal is not None:
        named = " and no ".join(f"{name.removesuffix('_id')} {value!r}" for name, value in unknown.items())
        raise refusal(f"there is no {named}; nothing was done", **unknown)
