"""Synchronisation as a whole: how shops stand, and telling it to push now, to pause, to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain.connection.commands import ConnectionCommand, PauseConnection, ResumeConnection
from domain.errors import Refusal
from domain.listing.commands import ListingCommand, PauseListing, ReleaseHold, ResumeListing
from domain.listing.status import Status
from infrastructure.answers.answers import Kept
from infrastructure.postgres.sight import see_as
from infrastructure.security.api_keys import Scope
from infrastructure.shops import push_queue
from infrastructure.shops.push_queue import Urgency, Wanted
from projections.listing_status.reader import summarise
from services.api.catalogue import READ, Words
from services.api.commands import REPLAYED
from services.api.extent import Extent, check_extent, check_known, listings_of
from services.api.freshness import Awaited, headers_of, reach
from services.api.listing_models import SyncStatus, shop_status
from services.api.operations import Answer, Call, endpoint
from services.usecases.outcome import Done, KeyReused

_REFUSALS: Final = (
    "listing_unknown",
    "product_unknown",
    "connection_unknown",
    "connection_needs_person",
    "view_not_built",
    "text_invalid",
)


class StatusQuery(Awaited, frozen=True, forbid_unknown_fields=True, kw_only=True):
    connection_id: Words | None = None


@endpoint(
    "GET",
    "/api/v2/sync/status",
    scope=Scope.SYNC_READ,
    tag="Sync",
    summary="How all shops stand",
    answers={200: SyncStatus},
    refusals=("view_not_built", *READ),
)
async def get_sync_status(call: Call, query: StatusQuery) -> Answer:
    """Counts by status, for each shop and in all; how many listings wait for a push, and how long the oldest does."""
    app, org_id = call.app, call.org_id
    await reach(app.pool, org_id, query)
    page = await summarise(app.pool, org_id, query.connection_id)
    waiting, since = await _queue(call, query.connection_id)
    groups: Counter[Status] = Counter()
    for shop in page.items:
        groups.update(shop.groups)
    body = SyncStatus(
        connections=tuple(shop_status(shop) for shop in page.items),
        groups=dict(groups),
        waiting=waiting,
        oldest_unsynced_seconds=None if since is None else max((app.clock.now() - since).total_seconds(), 0.0),
        position=page.freshness.position,
        lag=page.freshness.lag,
    )
    return Answer(body, headers=headers_of(page.freshness))


async def _queue(call: Call, connection_id: str | None) -> tuple[int, datetime | None]:
    async with call.app.pool.connection() as connection, connection.transaction():
        await see_as(connection, call.org_id)
        return await push_queue.depth(connection, connection_id)


class Trigger(Extent, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With `release_holds`, what is held back or was refused is tried again as well."""

    release_holds: bool = False


class NotDone(Struct, frozen=True, kw_only=True):
    id: str
    code: str
    detail: str


class SyncAccepted(Struct, frozen=True, kw_only=True):
    """How many listings (or shops) were told, how many of them needed nothing, and which refused.

    `position` is that of the last change; 0 when there was none.
    """

    told: int
    unchanged: int
    refused: tuple[NotDone, ...]
    position: int


@endpoint(
    "POST",
    "/api/v2/sync/trigger",
    scope=Scope.SYNC_WRITE,
    tag="Sync",
    summary="Compare and push now",
    answers={202: SyncAccepted},
    refusals=_REFUSALS,
    command=True,
    example={"connection_id": "shopee-1"},
)
async def trigger_sync(call: Call, body: Trigger) -> Answer:
    """Each listing of the extent is compared with what its shop shows as soon as the shop's quota allows, and pushed
    where it differs. What is paused stays so.
    """
    check_extent(body)
    return await _once(call, body, lambda: _trigger(call, body), status=202)


@endpoint(
    "POST",
    "/api/v2/sync/pause",
    scope=Scope.SYNC_WRITE,
    tag="Sync",
    summary="Push nothing for a while",
    answers={200: SyncAccepted},
    refusals=_REFUSALS,
    command=True,
    example={"connection_id": "shopee-1", "reason": "Stock opname"},
)
async def pause_sync(call: Call, body: Extent) -> Answer:
    """Changes are still taken and wait. With nothing but `connection_id` the whole shop is paused."""
    reason = body.reason or "paused by a person"
    return await _tell(call, body, PauseListing(reason=reason), PauseConnection(reason=reason))


@endpoint(
    "POST",
    "/api/v2/sync/resume",
    scope=Scope.SYNC_WRITE,
    tag="Sync",
    summary="Go on pushing",
    answers={200: SyncAccepted},
    refusals=_REFUSALS,
    command=True,
    example={"connection_id": "shopee-1"},
)
async def resume_sync(call: Call, body: Extent) -> Answer:
    """What has changed meanwhile is pushed as it is now."""
    reason = body.reason or "resumed by a person"
    return await _tell(call, body, ResumeListing(reason=reason), ResumeConnection(reason=reason, by_person=True))


async def _tell(call: Call, body: Extent, one: ListingCommand, shop: ConnectionCommand) -> Answer:
    check_extent(body)
    if body.listing_id is None and body.product_id is None:
        return await _once(call, body, lambda: _tell_shop(call, body, shop))
    return await _once(call, body, lambda: _tell_listings(call, body, one))


async def _tell_shop(call: Call, body: Extent, command: ConnectionCommand) -> SyncAccepted:
    assert body.connection_id is not None, "the extent is checked"
    done = await call.app.connections.handle(call.context(), body.connection_id, command)
    return SyncAccepted(told=1, unchanged=int(not done.events), refused=(), position=done.position)


async def _tell_listings(call: Call, body: Extent, command: ListingCommand) -> SyncAccepted:
    outcomes: list[tuple[str, Done[Any, Any] | Refusal]] = []
    async for page in listings_of(call, body):
        for row in page:
            try:
                done = await call.app.listings.handle(call.context(), row.listing_id, command)
            except Refusal as refusal:
                outcomes.append((row.listing_id, refusal))
            else:
                outcomes.append((row.listing_id, done))
    ended = [outcome for _, outcome in outcomes if isinstance(outcome, Done)]
    return SyncAccepted(
        told=len(ended),
        unchanged=sum(not done.events for done in ended),
        refused=tuple(
            NotDone(id=identity, code=outcome.code, detail=str(outcome))
            for identity, outcome in outcomes
            if isinstance(outcome, Refusal)
        ),
        position=max((done.position for done in ended), default=0),
    )


async def _trigger(call: Call, body: Trigger) -> SyncAccepted:
    context = call.context()
    told = 0
    async for page in listings_of(call, body):
        wanted = [
            Wanted(
                listing_id=row.listing_id,
                org_id=call.org_id,
                connection_id=row.connection_id,
                product_id=row.product_id,
                urgency=Urgency.PRICE,
                due_at=context.now,
                since=context.now,
                correlation_id=context.correlation_id,
                causation_id=context.correlation_id,
                look_first=True,
            )
            for row in page
        ]
        async with call.app.pool.connection() as connection, connection.transaction():
            await see_as(connection, call.org_id)
            await push_queue.enqueue(connection, wanted)
        told += len(wanted)
    if not body.release_holds:
        return SyncAccepted(told=told, unchanged=0, refused=(), position=0)
    return await _tell_listings(call, body, ReleaseHold(reason=body.reason or "tried again by a person"))


async def _once(call: Call, body: Extent, do: Callable[[], Awaitable[SyncAccepted]], *, status: int = 200) -> Answer:
    """These commands are harmless to do twice; under one key they are answered alike."""
    key = call.idempotency_key()
    if key is None:
        await check_known(call, body)
        return Answer(await do(), status)
    app, org_id, fingerprint = call.app, call.org_id, call.fingerprint(body)
    kept = await app.answers.find(org_id, key)
    if kept is None:
        if await app.store.answered(org_id, key) is not None:
            raise KeyReused(f"key {key!r} was used for another request", key=key)
        await check_known(call, body)
        mine = Kept(fingerprint, msgspec.json.encode(await do()))
        kept = await app.answers.keep(org_id, key, mine)
        headers: dict[str, str] = {}
    else:
        headers = REPLAYED
    if kept.fingerprint != fingerprint:
        raise KeyReused(f"key {key!r} was used for another request", key=key)
    return Answer(kept.answer, status, headers)


ROUTES: Final = (get_sync_status, trigger_sync, pause_sync, resume_sync)
