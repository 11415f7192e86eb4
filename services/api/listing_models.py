"""Listings, shops and conflicts as answers have them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from domain.listing.events import FieldGroup
from domain.listing.state import FieldState
from domain.listing.status import GroupStatus, Status, reason_of
from domain.values import Platform
from projections.conflicts.reader import ConflictEntry
from projections.listing_status.reader import ListingEntry, ShopSummary
from services.api.explained import Explained, SetAsideView, explained, set_aside_views


class ReasonView(Struct, frozen=True, kw_only=True):
    """What is in the way. `field` is null for what concerns the whole group; `message` may be the platform's words."""

    field: str | None
    code: Annotated[str, Meta(examples=["error_cannt_edit_price_in_promotion"])]
    message: str
    explanation: Explained


class GroupView(Struct, frozen=True, kw_only=True):
    """How a group of fields stands, and why."""

    status: Status
    reasons: tuple[ReasonView, ...]


class Shown(Struct, frozen=True, kw_only=True):
    """One field of a listing: what we want, what the shop shows, what it confirmed, and what is in the way."""

    desired: Any
    shop: Any
    confirmed: Any
    override: Any
    agrees: bool
    held: str | None
    refused: str | None
    conflict_id: str | None
    explanation: Explained | None
    """Of what is in the way: a conflict, a refusal, a hold or a kept value."""
    note: str | None
    """What somebody should know of the value, though nothing is in its way."""


class ListingSummary(Struct, frozen=True, kw_only=True):
    """How a listing stands. `groups` tells offer (prices), stock and content apart."""

    id: str
    version: int
    product_id: str
    connection_id: str
    platform: Platform
    link: str
    external_id: str | None
    paused: str | None
    groups: dict[FieldGroup, GroupView]
    open_conflicts: int
    behind: int
    set_aside: tuple[SetAsideView, ...]
    last_synced_at: datetime | None
    updated_at: datetime


class ListingView(ListingSummary, frozen=True, kw_only=True):
    """A listing with all its fields, and how far the views were when it was read."""

    fields: dict[str, Shown]
    position: int
    lag: int


class ListingPage(Struct, frozen=True, kw_only=True):
    items: tuple[ListingSummary, ...]
    next_cursor: str | None
    position: int
    lag: int


class ReasonCount(Struct, frozen=True, kw_only=True):
    """In how many listings of a shop something is in the way."""

    code: str
    listings: int
    explanation: Explained


class ShopStatus(Struct, frozen=True, kw_only=True):
    """One shop: listings by how they stand, and groups of fields by status (three for each listing)."""

    connection_id: str
    platform: Platform
    listings: int
    linked: int
    behind: int
    held: int
    refused: int
    paused: int
    set_aside: int
    """Listings of products that a part of the system takes up nothing more of; `set_aside=true` lists them."""
    open_conflicts: int
    last_synced_at: datetime | None
    groups: dict[Status, int]
    reasons: tuple[ReasonCount, ...]
    """Of what is held, refused or in conflict, the most frequent first."""


class SyncStatus(Struct, frozen=True, kw_only=True):
    """All shops. `oldest_unsynced_seconds`: how long the listing that waits longest has been waiting for its push."""

    connections: tuple[ShopStatus, ...]
    groups: dict[Status, int]
    waiting: int
    """Listings that wait for a push."""
    oldest_unsynced_seconds: float | None
    position: int
    lag: int


class ConflictView(Struct, frozen=True, kw_only=True):
    """A field that moved here and at the shop, and what became of it."""

    id: str
    listing_id: str
    product_id: str
    connection_id: str | None
    platform: Platform | None
    field: str
    status: Literal["open", "resolved"]
    ours: Any
    theirs: Any
    confirmed: Any
    ours_at: datetime
    theirs_at: datetime
    ours_by: str
    theirs_by: str
    reason: str
    strategy: str
    detected_at: datetime
    outcome: str | None
    resolved_value: Any
    resolved_by: str | None
    resolved_at: datetime | None


class ConflictPage(Struct, frozen=True, kw_only=True):
    """Latest first."""

    items: tuple[ConflictView, ...]
    next_cursor: str | None
    position: int
    lag: int


def listing_summary(row: ListingEntry) -> ListingSummary:
    return ListingSummary(**_shared(row))


def listing_view(row: ListingEntry, position: int, lag: int, notes: Mapping[str, str]) -> ListingView:
    """`notes` by field."""
    fields = {name: _shown(row.platform, name, field, notes.get(name)) for name, field in sorted(row.fields.items())}
    return ListingView(**_shared(row), fields=fields, position=position, lag=lag)


def shop_status(summary: ShopSummary) -> ShopStatus:
    same = {name: getattr(summary, name) for name in ShopStatus.__struct_fields__ if name != "reasons"}
    reasons = tuple(
        ReasonCount(
            code=found.code,
            listings=found.listings,
            explanation=explained(summary.platform, found.code, found.message),
        )
        for found in summary.reasons
    )
    return ShopStatus(**same, reasons=reasons)


def conflict_view(row: ConflictEntry) -> ConflictView:
    same = {name: getattr(row, name) for name in ConflictView.__struct_fields__ if name != "id"}
    return ConflictView(id=row.conflict_id, **same)


def _shared(row: ListingEntry) -> Mapping[str, Any]:
    made = {"id", "groups", "set_aside"}
    same = {name: getattr(row, name) for name in ListingSummary.__struct_fields__ if name not in made}
    groups = {group: _group(row.platform, standing) for group, standing in row.groups.items()}
    return {"id": row.listing_id, "groups": groups, "set_aside": set_aside_views(row.set_aside), **same}


def _group(platform: Platform, standing: GroupStatus) -> GroupView:
    reasons = (
        ReasonView(
            field=reason.field,
            code=reason.code,
            message=reason.message,
            explanation=explained(platform, reason.code, reason.message),
        )
        for reason in standing.reasons
    )
    return GroupView(status=standing.status, reasons=tuple(reasons))


def _shown(platform: Platform, name: str, field: FieldState, note: str | None) -> Shown:
    reason = reason_of(name, field)
    return Shown(
        desired=None if field.desired is None else field.desired.value,
        shop=None if field.shadow is None else field.shadow.value,
        confirmed=None if field.confirmed is None else field.confirmed.value,
        override=field.override,
        agrees=field.agrees,
        held=None if field.held is None else field.held.reason,
        refused=None if field.refused is None else field.refused.message,
        conflict_id=None if field.conflict is None else field.conflict.conflict_id,
        explanation=None if reason is None else explained(platform, reason.code, reason.message),
        note=note,
    )
