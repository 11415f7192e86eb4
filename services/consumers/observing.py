"""What a shop shows of an item, told to its listing."""

from __future__ import annotations

from datetime import datetime

from domain.connection.state import Connection
from domain.listing.commands import LinkListing, Observe
from domain.listing.diff import external_variants
from domain.listing.events import ExternalVariant
from domain.listing.fields import LISTED
from domain.listing.state import Linked
from domain.messages import CommandContext
from infrastructure.platforms.connector import ExternalListing
from services.consumers.shown import added_variants, shown_values
from services.usecases.listings import Listings


async def tell(
    listings: Listings,
    context: CommandContext,
    listing_id: str,
    shown: ExternalListing,
    shop: Connection,
    *,
    source: str,
    seen_at: datetime,
) -> None:
    """`seen_at`: before the shop was asked, so that what a push of ours changes meanwhile counts as the newer."""
    _, listing = await listings.get(context.org_id, listing_id)
    if isinstance(listing.link, Linked) and (added := added_variants(listing, shown)):
        variants = (*(ExternalVariant(sku, known) for sku, known in external_variants(listing).items()), *added)
        link = LinkListing(external_id=shown.external_id, variants=variants, reason="variants added at the shop")
        await listings.handle(context, listing_id, link)
        _, listing = await listings.get(context.org_id, listing_id)
    command = Observe(
        values=shown_values(listing, shown),
        observed_at=seen_at,
        content_changed_at=shown.updated_at,
        source=source,
        policy=shop.conflict_policy,
    )
    await listings.handle(context, listing_id, command)


async def tell_gone(
    listings: Listings, context: CommandContext, listing_id: str, shop: Connection, *, source: str, seen_at: datetime
) -> None:
    """The shop knows no such item any more."""
    command = Observe(
        values={LISTED: False},
        observed_at=seen_at,
        content_changed_at=None,
        source=source,
        policy=shop.conflict_policy,
    )
    await listings.handle(context, listing_id, command)
