"""Product, stock and connection events -> what each shop shall show.

Listings are commanded through the event store, outside the transaction of the offsets: delivered twice, the second time
finds nothing left to change.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import structlog
from psycopg import AsyncConnection

from domain import events as wire
from domain.connection.events import CategoriesChanged, ConnectionOpened, PricingRuleChanged
from domain.connection.state import Connection
from domain.listing.commands import ReleaseHold
from domain.listing.desired import Shown
from domain.listing.events import DesiredChanged, ListingEvent
from domain.listing.fields import IMAGES, LISTED
from domain.listing.state import Listing, ListingState
from domain.messages import CommandContext, RecordedEvent
from domain.policies.price_checks import PriceBounds
from domain.ports import Clock, EventStore
from domain.product.state import Product
from domain.stock.events import StockEvent
from domain.values import Platform, category_of, identity_of, listing_id
from infrastructure.postgres.pool import Pool
from infrastructure.shops import stock_levels
from infrastructure.shops.stock_levels import Level
from services.consumers.creating import CATEGORY_UNKNOWN
from services.consumers.sources import SourceReader
from services.usecases.listings import Listings

PAGE: Final = 200
"""Products read at once."""
AT_ONCE: Final = 64
"""Listings commanded at once; they share statements."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class DeriveDesired:
    """An effect of the consumer "desired".

    A listing is told from two sides: its product's events come in order, and so do its connection's, but not with each
    other. So whoever has told it looks again at what it was told from, and tells it anew where that has moved: the last
    one to write has seen the last of everything.
    """

    name = "desired"

    def __init__(
        self,
        topics: tuple[str, ...],
        store: EventStore,
        pool: Pool,
        listings: Listings,
        clock: Clock,
        bounds: Mapping[Platform, PriceBounds],
        images_max: Mapping[Platform, int],
    ) -> None:
        self.topics = topics
        self._store = store
        self._pool = pool
        self._sources = SourceReader(store, pool)
        self._listings = listings
        self._clock = clock
        self._bounds = bounds
        self._images_max = images_max
        self._room = asyncio.Semaphore(AT_ONCE)

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:  # noqa: ARG002  # the offsets alone are stored
        by_org: dict[str, list[RecordedEvent]] = defaultdict(list)
        for event in events:
            by_org[event.org_id].append(event)
        for org_id, told in by_org.items():
            await self._record_levels([event for event in told if category_of(event.stream_id) == "stock"])
            connections = await self._sources.connections_of(org_id)
            if not connections:
                continue
            for event in told:
                if category_of(event.stream_id) == "connection":
                    await self._follow_connection(event)
            causes = {event.partition_key: event for event in told if category_of(event.stream_id) != "connection"}
            for page in _pages(list(causes), PAGE):
                await self._derive(org_id, {product: causes[product] for product in page}, connections)

    async def _record_levels(self, events: Iterable[RecordedEvent]) -> None:
        """Committed before anything is made of them: who derives beside us must see them."""
        levels: dict[str, Level] = {}
        for event in events:
            moved = cast("StockEvent", wire.decode(event.type, event.schema, event.data))
            levels[event.stream_id] = Level(
                org_id=event.org_id,
                product_id=moved.product_id,
                stream_id=event.stream_id,
                sku=moved.sku,
                warehouse=moved.warehouse,
                on_hand=moved.on_hand_after,
                version=event.version,
            )
        if levels:
            async with self._pool.connection() as connection:
                await stock_levels.record(connection, list(levels.values()))

    async def _follow_connection(self, event: RecordedEvent) -> None:
        """A new shop, a new pricing rule and new categories concern every product."""
        told = wire.decode(event.type, event.schema, event.data)
        if not isinstance(told, ConnectionOpened | PricingRuleChanged | CategoriesChanged):
            return
        last = ""
        while page := await self._store.streams_of(event.org_id, "product", after=last, limit=PAGE):
            last = page[-1]
            causes = {identity_of(stream): event for stream in page}
            await self._derive(event.org_id, causes, [identity_of(event.stream_id)])

    async def _derive(self, org_id: str, causes: Mapping[str, RecordedEvent], connections: Sequence[str]) -> None:
        """`causes` gives each product the last event that concerns it."""
        moved: Collection[str] = causes
        while moved:
            sources = await self._sources.read(org_id, moved, connections)
            await asyncio.gather(
                *(
                    self._command(causes[product.product_id], product, sources.levels.get(product.product_id, ()), shop)
                    for product in sources.products.values()
                    for shop in sources.connections
                )
            )
            moved = await self._sources.moved(org_id, sources)

    async def _command(
        self, cause: RecordedEvent, product: Product, levels: Iterable[tuple[str, str, int]], shop: Connection
    ) -> None:
        available: dict[str, int] = defaultdict(int)
        shown = {warehouse.casefold() for warehouse in shop.warehouses}  # as `stock_id` compares them
        for sku, warehouse, on_hand in levels:
            if not shown or warehouse.casefold() in shown:
                available[sku.casefold()] += on_hand
        context = CommandContext(
            org_id=cause.org_id,
            actor=cause.actor,
            now=self._clock.now(),
            correlation_id=cause.correlation_id,
            causation_id=cause.event_id,
            batch_id=cause.batch_id,
            occurred_at=cause.occurred_at,
        )
        async with self._room:
            done, derived = await self._listings.set_desired(
                context,
                product,
                available,
                shop,
                cause=cause.type,
                bounds=self._bounds.get(shop.platform),
                images_max=self._images_max.get(shop.platform),
            )
            _tell_of_images(listing_id(shop.connection_id, product.product_id), done.events, derived)
            if _lacked_category(done.state) and shop.category_for(product.category) is not None:
                release = ReleaseHold(reason="a category is known now", fields=(LISTED,))
                await self._listings.handle(context, listing_id(shop.connection_id, product.product_id), release)


def _tell_of_images(listing: str, told: Iterable[ListingEvent], shown: Shown) -> None:
    """Once for each set of pictures, not whenever something else of the listing moves."""
    moved = {change.field for event in told if isinstance(event, DesiredChanged) for change in event.changes}
    for warned in shown.warnings:
        if warned.field == IMAGES and IMAGES in moved:
            log.warning(warned.code, listing_id=listing, reason=warned.message)


def _lacked_category(listing: ListingState) -> bool:
    refused = listing.field(LISTED).refused if isinstance(listing, Listing) else None
    return refused is not None and refused.code == CATEGORY_UNKNOWN


def _pages(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))
