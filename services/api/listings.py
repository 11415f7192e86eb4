"""Listings and conflicts: how shops stand against the master, and what people decide."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from domain.listing.commands import Choice, DropOverride, ResolveConflict
from domain.listing.decider import NoSuchListing
from domain.listing.desired import images_left_out
from domain.listing.events import Value
from domain.listing.status import Status
from domain.values import Platform
from infrastructure.security.api_keys import Scope
from projections.conflicts.reader import list_conflicts, read_conflict
from projections.listing_status.reader import list_listings, read_listing
from services.api.catalogue import DEFAULT_LIMIT, READ, Cursor, Limit, Words
from services.api.commands import Accepted, accepted, expecting
from services.api.conditions import etag
from services.api.freshness import Awaited, headers_of, reach
from services.api.listing_models import (
    ConflictPage,
    ListingPage,
    ListingView,
    conflict_view,
    listing_summary,
    listing_view,
)
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Problem
from services.shops import images_max

LISTINGS: Final = "/api/v2/listings"
CONFLICTS: Final = "/api/v2/sync/conflicts"
EXAMPLES: Final = {
    "listing_id": "shopee-1.0190a3d0-7c9e-7b5a-8f00-3c2d5e6f7a8b",
    "conflict_id": "0190a3d0-7c9e-7b5a-8f00-3c2d5e6f7a8b",
}


class ListingQuery(Awaited, frozen=True, forbid_unknown_fields=True, kw_only=True):
    product_id: tuple[Words, ...] = ()
    connection_id: Words | None = None
    platform: Platform | None = None
    status: tuple[Status, ...] = ()
    """Listings of which any group of fields stands so."""
    in_conflict: bool = False
    set_aside: bool = False
    """Only those of products that a part of the system takes up nothing more of."""
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


@endpoint(
    "GET",
    LISTINGS,
    scope=Scope.SYNC_READ,
    tag="Listings",
    summary="List listings",
    answers={200: ListingPage},
    refusals=("cursor_invalid", "view_not_built", *READ),
)
async def get_listings(call: Call, query: ListingQuery) -> Answer:
    """A listing is a product in a shop. Pages go by listing id, so a walk shows each listing exactly once."""
    await reach(call.app.pool, call.org_id, query)
    page = await list_listings(
        call.app.pool,
        call.org_id,
        connection_id=query.connection_id,
        platform=query.platform,
        product_ids=query.product_id,
        statuses=query.status,
        in_conflict=query.in_conflict,
        is_set_aside=query.set_aside,
        limit=query.limit,
        cursor=query.cursor,
    )
    body = ListingPage(
        items=tuple(listing_summary(row) for row in page.items),
        next_cursor=page.next_cursor,
        position=page.freshness.position,
        lag=page.freshness.lag,
    )
    return Answer(body, headers=headers_of(page.freshness))


@endpoint(
    "GET",
    LISTINGS + "/{listing_id:str}",
    scope=Scope.SYNC_READ,
    tag="Listings",
    summary="One listing, field by field",
    answers={200: ListingView},
    refusals=("listing_unknown", "view_not_built", *READ),
    path_examples=EXAMPLES,
)
async def get_listing(call: Call, query: Awaited) -> Answer:
    """What we want each field to show, what the shop shows, what it has confirmed, and what is in the way."""
    await reach(call.app.pool, call.org_id, query)
    answer = await read_listing(call.app.pool, call.org_id, call.path("listing_id"))
    row, freshness = answer.found, answer.freshness
    if row is None:
        raise NoSuchListing(f"there is no listing {call.path('listing_id')}")
    headers = {"etag": etag(row.version), **headers_of(freshness)}
    _, product = await call.app.products.get(call.org_id, row.product_id)
    left_out = images_left_out(product, images_max().get(row.platform))
    notes = {} if left_out is None else {left_out.field: left_out.message}
    return Answer(listing_view(row, freshness.position, freshness.lag, notes), headers=headers)


class ConflictQuery(Awaited, frozen=True, forbid_unknown_fields=True, kw_only=True):
    status: Literal["open", "resolved", "any"] = "open"
    connection_id: Words | None = None
    product_id: Words | None = None
    limit: Limit = DEFAULT_LIMIT
    cursor: Cursor | None = None


@endpoint(
    "GET",
    CONFLICTS,
    scope=Scope.SYNC_READ,
    tag="Sync",
    summary="List conflicts",
    answers={200: ConflictPage},
    refusals=("cursor_invalid", "view_not_built", *READ),
)
async def get_conflicts(call: Call, query: ConflictQuery) -> Answer:
    """Fields that moved here and at the shop since they last agreed; the open ones wait for a person."""
    await reach(call.app.pool, call.org_id, query)
    page = await list_conflicts(
        call.app.pool,
        call.org_id,
        status=None if query.status == "any" else query.status,
        connection_id=query.connection_id,
        product_id=query.product_id,
        limit=query.limit,
        cursor=query.cursor,
    )
    body = ConflictPage(
        items=tuple(conflict_view(row) for row in page.items),
        next_cursor=page.next_cursor,
        position=page.freshness.position,
        lag=page.freshness.lag,
    )
    return Answer(body, headers=headers_of(page.freshness))


class Resolution(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`ours` pushes the master's value again, `theirs` keeps the shop's, `value` shows a third one in this shop."""

    outcome: Literal["ours", "theirs", "value"]
    value: Value = None
    reason: Annotated[str, Meta(max_length=500)] = ""


@endpoint(
    "POST",
    CONFLICTS + "/{conflict_id:str}/resolve",
    scope=Scope.SYNC_WRITE,
    tag="Sync",
    summary="Decide a conflict",
    answers={200: Accepted},
    refusals=(
        "conflict_unknown",
        "conflict_value_missing",
        "conflict_value_invalid",
        "name_invalid",
        "text_invalid",
        "listing_unknown",
        "view_not_built",
    ),
    command=True,
    conditional=True,
    example={"outcome": "ours", "reason": "Harga resmi"},
    path_examples=EXAMPLES,
)
async def resolve_conflict(call: Call, body: Resolution) -> Answer:
    """`id` in the answer is the listing, whose version has moved."""
    app, conflict_id = call.app, call.path("conflict_id")
    found = (await read_conflict(app.pool, call.org_id, conflict_id)).found
    if found is None:
        raise Problem("conflict_unknown", f"there is no conflict {conflict_id}")
    command = ResolveConflict(
        conflict_id=conflict_id,
        outcome=Choice(body.outcome),
        by=call.caller.actor,
        value=body.value,
        reason=body.reason,
    )
    handle = partial(app.listings.handle, call.context(), found.listing_id, command, once=call.once(body))
    done = await expecting(call, None, lambda expected: handle(expected=expected))
    return accepted(found.listing_id, done, f"{LISTINGS}/{found.listing_id}")


class Following(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`field` as the listing names it, such as `title` or `price:BTK-PRG`."""

    field: Words
    reason: Annotated[str, Meta(max_length=500)] = ""


@endpoint(
    "POST",
    LISTINGS + "/{listing_id:str}/follow-master",
    scope=Scope.SYNC_WRITE,
    tag="Listings",
    summary="Show the master's value again",
    answers={200: Accepted},
    refusals=("listing_unknown", "override_unknown"),
    command=True,
    conditional=True,
    example={"field": "title", "reason": "Judul resmi"},
    path_examples=EXAMPLES,
)
async def follow_master(call: Call, body: Following) -> Answer:
    """Ends the override of a field whose own value in this shop was kept; what the master says is pushed."""
    listing_id = call.path("listing_id")
    command = DropOverride(field=body.field, reason=body.reason or f"{call.caller.actor} follows the master again")
    handle = partial(call.app.listings.handle, call.context(), listing_id, command, once=call.once(body))
    done = await expecting(call, None, lambda expected: handle(expected=expected))
    return accepted(listing_id, done, f"{LISTINGS}/{listing_id}")


ROUTES: Final = (get_listings, get_listing, follow_master, get_conflicts, resolve_conflict)
