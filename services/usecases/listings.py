"""Listings: what shops shall show, what they show, and what becomes of the difference."""

from __future__ import annotations

from collections.abc import Mapping

from domain.connection.state import Connection
from domain.listing.commands import ListingCommand, Observe, OpenListing, SetDesired
from domain.listing.decider import NoSuchListing
from domain.listing.desired import Shown, desired_values
from domain.listing.events import FieldGroup, ListingEvent
from domain.listing.state import Listing, ListingState, NotOpened
from domain.messages import CommandContext
from domain.policies.conflict_policy import LatestWins, strategy_for
from domain.policies.price_checks import PriceBounds
from domain.ports import EventStore, Identities
from domain.product.state import Product
from domain.values import listing_id, parts_of_listing, stream_id
from services.usecases.aggregates import LISTING
from services.usecases.conditions import Expected, Once, Respond, no_response
from services.usecases.listed_skus import as_listed, skus_of
from services.usecases.outcome import Done
from services.usecases.repository import CACHED_STREAMS, Repository


class Listings:
    def __init__(self, store: EventStore, identities: Identities, *, cached: int = CACHED_STREAMS) -> None:
        self._repository = Repository(LISTING, store, identities, cached=cached)

    async def open(self, context: CommandContext, connection: Connection, product_id: str) -> str:
        """The listing's id, whether it was there or not."""
        identity = listing_id(connection.connection_id, product_id)
        command = OpenListing(
            listing_id=identity,
            product_id=product_id,
            connection_id=connection.connection_id,
            platform=connection.platform,
        )
        stream = stream_id("listing", identity)
        if isinstance(self._repository.remembered(context.org_id, stream), NotOpened):
            await self._repository.handle(context, stream, product_id, command)
        return identity

    async def handle(
        self,
        context: CommandContext,
        listing: str,
        command: ListingCommand,
        *,
        expected: Expected | None = None,
        once: Once | None = None,
        respond: Respond[ListingState] = no_response,
    ) -> Done[ListingState, ListingEvent]:
        """A command on a listing that has been opened.

        Raises the refusals of `domain.listing`, StaleVersion, KeyReused, TooBusy.
        """
        if isinstance(command, Observe) and command.observed_at > context.now:
            # A shop's clock may be ahead of ours; what it has seen cannot be newer than now.
            command = Observe(
                values=command.values,
                observed_at=context.now,
                content_changed_at=command.content_changed_at,
                source=command.source,
                policy=command.policy,
                by=command.by,
            )
        return await self._repository.handle(
            context,
            stream_id("listing", listing),
            parts_of_listing(listing)[1],
            command,
            expected=expected,
            once=once,
            respond=respond,
        )

    async def set_desired(
        self,
        context: CommandContext,
        product: Product,
        available: Mapping[str, int],
        connection: Connection,
        *,
        cause: str,
        bounds: PriceBounds | None = None,
        images_max: int | None = None,
    ) -> tuple[Done[ListingState, ListingEvent], Shown]:
        """Open the product's listing in a shop if need be, and say what it shall show. `available` is pieces by SKU."""
        identity = await self.open(context, connection, product.product_id)
        product = await self._as_listed(context.org_id, identity, product)
        shown = desired_values(product, available, connection, bounds=bounds, images_max=images_max)
        command = SetDesired(
            values=shown.values,
            cause=cause,
            at=context.occurred_at or context.now,
            by=context.actor,
            pricing_rule=connection.pricing_rule.rule_id,
            pricing_rule_version=connection.pricing_rule.version,
            quotes=shown.priced,
            holds=shown.holds,
            latest_wins=tuple(
                group for group in FieldGroup if isinstance(strategy_for(connection.conflict_policy, group), LatestWins)
            ),
        )
        stream = stream_id("listing", identity)
        return await self._repository.handle(context, stream, product.product_id, command), shown

    async def _as_listed(self, org_id: str, listing: str, product: Product) -> Product:
        """A remembered listing will do unless the product has a SKU that it has not seen."""
        state = self._repository.remembered(org_id, stream_id("listing", listing))
        known = skus_of(state)
        if known and any(variant.sku not in known for variant in product.variants):
            state = (await self._repository.load(org_id, stream_id("listing", listing))).state
        return as_listed(product, state)

    async def get(self, org_id: str, listing: str) -> tuple[int, Listing]:
        """Version and listing, read now. Raises NoSuchListing."""
        loaded = await self._repository.load(org_id, stream_id("listing", listing))
        if isinstance(loaded.state, NotOpened):
            raise NoSuchListing(f"there is no listing {listing}", listing_id=listing)
        return loaded.version, loaded.state
