"""One listing's turn: what it needs is worked out now, sent, and recorded with what the platform has proven."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from domain.connection.state import Connection
from domain.listing.commands import LinkListing, ListingCommand, Observe, RecordPush
from domain.listing.diff import Due, due, external_variants, needs_creation
from domain.listing.events import ExternalVariant, FieldGroup
from domain.listing.fields import LISTED
from domain.listing.state import Linked, Listing
from domain.messages import CommandContext
from domain.policies.conflict_policy import ConflictPolicy, MasterWinsAlways, strategy_for
from domain.ports import Clock
from infrastructure.platforms.connector import Connector, PlatformCallFailed
from infrastructure.shops import push_queue
from services.consumers.creating import NotReady, blamed, draft
from services.consumers.observing import tell
from services.consumers.sending import Sent, send
from services.consumers.shown import shown_values
from services.usecases.listings import Listings
from services.usecases.products import Products

ACTOR = "system:push"
NO_PROGRESS = timedelta(seconds=5)
"""When a turn has achieved nothing and nobody has said when to try again."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Turn:
    """How a turn ended. `again_at` None: nothing is left to do until there is a new reason."""

    again_at: datetime | None
    attempts: int
    pause_lane_until: datetime | None = None
    needs_person: str | None = None
    look_first: bool = False
    """The shop could not be looked at yet."""


class Pusher:
    def __init__(
        self,
        listings: Listings,
        products: Products,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._listings = listings
        self._products = products
        self._clock = clock
        self._jitter = jitter

    async def take_turn(self, connector: Connector, connection: Connection, org_id: str, item: push_queue.Due) -> Turn:
        """Raises what the event store raises; what the platform says is in the answer and in the listing's events."""
        _, listing = await self._listings.get(org_id, item.listing_id)
        now = self._clock.now()
        rows = due(listing, now)
        sent = Sent(
            platform=connection.platform,
            now=now,
            attempts=item.attempts + 1,
            jitter=self._jitter(),
            deferred_seconds=(now - (item.deferred_since or now)).total_seconds(),
        )
        look_again = False
        yielding = _yielding(rows, connection.conflict_policy)
        if isinstance(listing.link, Linked) and (item.look_first or yielding):
            try:
                await self._look(connector, connection, org_id, item, listing.link.external_id)
            except PlatformCallFailed as failed:
                look_again = item.look_first
                sent.fail(failed.error, [row for group in yielding for row in rows[group]])
                rows = {group: fields for group, fields in rows.items() if group not in yielding}
            else:
                _, listing = await self._listings.get(org_id, item.listing_id)
                rows = due(listing, now)
        if not rows and not sent.has_failed:
            return Turn(_next_look(listing, now), 0)
        if needs_creation(listing):
            await self._create(connector, connection, org_id, item, listing, rows, sent)
        else:
            assert isinstance(listing.link, Linked)
            await send(connector, listing.link.external_id, external_variants(listing), rows, sent)
        return await self._end(org_id, item, sent, look_first=look_again)

    async def _look(
        self, connector: Connector, connection: Connection, org_id: str, item: push_queue.Due, external_id: str
    ) -> None:
        """Somebody may have changed the item, and no notification has told us yet. Raises PlatformCallFailed."""
        seen_at = self._clock.now()
        for shown in await connector.read_listings((external_id,)):
            context = self._context(org_id, item.correlation_id, item.causation_id)
            await tell(self._listings, context, item.listing_id, shown, connection, source="read_back", seen_at=seen_at)

    async def _end(self, org_id: str, item: push_queue.Due, sent: Sent, *, look_first: bool) -> Turn:
        now = sent.now
        listing = await self._record(org_id, item, sent)
        attempts = sent.attempts if sent.counts_as_attempt else item.attempts if sent.retry_at else 0
        again = sent.retry_at or _next_look(listing, now)
        if again is not None and again <= now and not sent.has_news:
            again = now + NO_PROGRESS
        return Turn(again, attempts, sent.pause_lane_until, sent.needs_person, look_first)

    async def _create(
        self,
        connector: Connector,
        connection: Connection,
        org_id: str,
        item: push_queue.Due,
        listing: Listing,
        rows: Due,
        sent: Sent,
    ) -> None:
        by_name = {row.field: row for group in FieldGroup for row in rows.get(group, ())}
        try:
            _, product = await self._products.get(org_id, item.product_id)
            drafted = draft(listing, product, connection, connector.capabilities)
            made = await connector.create(drafted, item.listing_id)
        except NotReady as unready:
            sent.refused += unready.rows
            return
        except PlatformCallFailed as failed:
            sent.fail(failed.error, blamed(failed.error, by_name))
            return
        ours = {variant.sku.casefold(): variant.sku for variant in drafted.variants}
        await self._listings.handle(
            self._context(org_id, item.correlation_id, item.causation_id),
            item.listing_id,
            LinkListing(
                external_id=made.external_id,
                variants=tuple(
                    ExternalVariant(ours.get(sku.casefold(), sku), external) for sku, external in made.variants.items()
                ),
                created=not made.found,
                reason="found at the shop by its SKU" if made.found else "created by SyncStore",
            ),
        )
        await self._read_back(connector, connection, org_id, item, made.external_id, rows, sent, ours=not made.found)

    async def _read_back(
        self,
        connector: Connector,
        connection: Connection,
        org_id: str,
        item: push_queue.Due,
        external_id: str,
        rows: Due,
        sent: Sent,
        *,
        ours: bool,
    ) -> None:
        """A new item counts for what it shows, not for what was asked; one found there is observed like any other."""
        try:
            shown = await connector.read_listings((external_id,))
        except PlatformCallFailed as failed:
            log.warning("read_back_failed", listing_id=item.listing_id, code=failed.error.code)
            sent.retry_at = sent.now + timedelta(seconds=1)
            return
        _, listing = await self._listings.get(org_id, item.listing_id)
        values = shown_values(listing, shown[0]) if shown else {}
        if not ours:
            command = Observe(values=values, observed_at=sent.now, source="import", policy=connection.conflict_policy)
            await self._handle(org_id, item, command)
            return
        for group in rows.values():
            for row in group:
                if row.field == "images" or values.get(row.field) == row.value:
                    sent.prove(row)

    async def _record(self, org_id: str, item: push_queue.Due, sent: Sent) -> Listing:
        """The listing as it is then."""
        if not sent.has_news:
            return (await self._listings.get(org_id, item.listing_id))[1]
        command = RecordPush(
            answered_at=self._clock.now(),
            confirmed=tuple(sent.confirmed),
            refused=tuple(sent.refused),
            held=tuple(sent.held),
            skipped=sent.superseded,
        )
        return await self._handle(org_id, item, command)

    async def _handle(self, org_id: str, item: push_queue.Due, command: ListingCommand) -> Listing:
        context = self._context(org_id, item.correlation_id, item.causation_id)
        listing = (await self._listings.handle(context, item.listing_id, command)).state
        assert isinstance(listing, Listing), "only an opened listing can be commanded"
        return listing

    def _context(self, org_id: str, correlation_id: UUID, causation_id: UUID) -> CommandContext:
        return CommandContext(
            org_id=org_id,
            actor=ACTOR,
            now=self._clock.now(),
            correlation_id=correlation_id,
            causation_id=causation_id,
        )


def _yielding(rows: Due, policy: ConflictPolicy) -> list[FieldGroup]:
    """Groups in which the shop's value could win over one that is to be sent; the others need no look."""
    return [
        group
        for group, fields in rows.items()
        if not isinstance(strategy_for(policy, group), MasterWinsAlways)
        and any(row.field != LISTED or row.value is True for row in fields)
    ]


def _next_look(listing: Listing, now: datetime) -> datetime | None:
    """At once where something is due already, else when the first held field is to be tried again."""
    if due(listing, now):
        return now
    rechecks = [
        field.held.recheck_at
        for field in listing.fields.values()
        if field.held is not None and field.held.recheck_at is not None and not field.agrees
    ]
    return min(rechecks, default=None)
