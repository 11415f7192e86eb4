"""Listing events -> the push queue: which listing has a new reason to be pushed, and how urgent it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from domain import events
from domain.connection import events as connection_events
from domain.listing import events as listing_events
from domain.messages import RecordedEvent
from domain.values import category_of, identity_of, parts_of_listing
from infrastructure.shops import items, lanes, push_queue
from infrastructure.shops.push_queue import Urgency, Wanted

REASONS: Final = frozenset(
    {
        "listing.desired-changed",
        "listing.linked",
        "listing.hold-released",
        "listing.review-ended",
        "listing.resumed",
        "listing.conflict-resolved",
        "listing.drift-found",
        "listing.override-kept",  # or dropped: then the master's value is to be shown again
    }
)
"""After any of these, desired and confirmed may differ and nothing may stand in the way."""

LINKS: Final = frozenset({"listing.linked", "listing.unlinked"})


class QueuePushes:
    """An effect of the consumer "push": queue rows in the transaction that advances its offsets.

    What `woken()` answers is set after each batch, so that the lanes of this process need not wait for their next look.
    """

    name = "push"

    def __init__(self, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self._woken = asyncio.Event()

    def woken(self) -> asyncio.Event:
        """Set when something has been queued after this call; everybody who waits has the same one."""
        return self._woken

    async def apply(self, connection: AsyncConnection[Any], events_: Sequence[RecordedEvent]) -> None:
        wanted: dict[str, Wanted] = {}
        for record in events_:
            if category_of(record.stream_id) == "connection":
                await _follow_connection(connection, record)
                continue
            if record.type in LINKS:
                await _follow_link(connection, record)
            if record.type in REASONS:
                one = _reason(record)
                wanted[one.listing_id] = _more_urgent(wanted.get(one.listing_id), one)
        if wanted:
            await push_queue.enqueue(connection, list(wanted.values()))
            # Set within the transaction: lanes look again soon after in case they were faster than its commit.
            waiting, self._woken = self._woken, asyncio.Event()
            asyncio.get_running_loop().call_later(0.005, waiting.set)


async def _follow_connection(connection: AsyncConnection[Any], record: RecordedEvent) -> None:
    match events.decode(record.type, record.schema, record.data):
        case connection_events.ConnectionOpened(connection_id=identity, platform=platform, shop_id=shop):
            await lanes.open_lane(
                connection, org_id=record.org_id, connection_id=identity, platform=platform, shop_id=shop
            )
        case connection_events.ConnectionResumed():
            await lanes.pause(
                connection, org_id=record.org_id, connection_id=identity_of(record.stream_id), until=None, reason=None
            )
        case _:
            pass


async def _follow_link(connection: AsyncConnection[Any], record: RecordedEvent) -> None:
    listing = identity_of(record.stream_id)
    shop = {"org_id": record.org_id, "connection_id": parts_of_listing(listing)[0]}
    match events.decode(record.type, record.schema, record.data):
        case listing_events.ListingLinked(external_id=external_id):
            await items.linked(connection, **shop, external_id=external_id, listing_id=listing)
        case listing_events.ListingUnlinked(external_id=external_id):
            await items.unlinked(connection, **shop, external_id=external_id)


def _reason(record: RecordedEvent) -> Wanted:
    listing = identity_of(record.stream_id)
    connection_id, product_id = parts_of_listing(listing)
    return Wanted(
        listing_id=listing,
        org_id=record.org_id,
        connection_id=connection_id,
        product_id=product_id,
        urgency=_urgency(record),
        due_at=record.recorded_at,
        since=record.recorded_at,
        correlation_id=record.correlation_id,
        causation_id=record.event_id,
    )


def _more_urgent(known: Wanted | None, other: Wanted) -> Wanted:
    return other if known is None or other.urgency < known.urgency else known


def _urgency(record: RecordedEvent) -> Urgency:
    match events.decode(record.type, record.schema, record.data):
        case listing_events.DesiredChanged() if record.version <= 2:  # opened, then first wanted
            return Urgency.NEW_LISTING
        case listing_events.DesiredChanged(changes=changes):
            return min((_urgency_of(change) for change in changes), default=Urgency.CONTENT)
        case _:
            return Urgency.PRICE


def _urgency_of(change: listing_events.ChangedField) -> Urgency:
    kind = change.field.partition(":")[0]
    if kind == "stock":
        return Urgency.STOP_SALE if change.new == 0 else Urgency.STOCK
    if kind == "listed" and change.new is False:
        return Urgency.STOP_SALE
    return Urgency.PRICE if kind == "price" else Urgency.CONTENT
