"""Listing facts -> one row per listing: per field what we want, what the shop shows and what it confirmed; per group of
fields how it stands and why.

The domain's own fold decides what facts mean; this makes columns of the result.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from domain.events import DomainEvent
from domain.listing import events as listing
from domain.listing.diff import is_never_shown
from domain.listing.events import ExternalVariant, FieldGroup
from domain.listing.evolution import evolve
from domain.listing.state import Cut, FieldState, Link, Linked, Listing, NotLinked, NotOpened
from domain.listing.status import GroupStatus, statuses
from domain.values import Platform, identity_of
from projections.projection import Fact, Row, View, touch


class ListingRow(Row, kw_only=True):
    listing_id: str
    product_id: str
    connection_id: str
    platform: Platform
    link: str
    """"not_linked", "linked" or "cut"."""
    external_id: str | None
    external_variants: tuple[ExternalVariant, ...]
    cut_reason: str | None
    paused: str | None
    in_review: dict[FieldGroup, str]
    rejected: dict[FieldGroup, str]
    conflicts_seen: int
    fields: dict[str, FieldState]
    groups: dict[FieldGroup, GroupStatus]
    offer_status: str
    stock_status: str
    content_status: str
    open_conflicts: int
    held: int
    refused: int
    behind: int
    """Fields whose shop value is not the wanted one."""
    last_synced_at: datetime | None
    opened_at: datetime
    updated_at: datetime


class ListingFold(Row, kw_only=True):
    listing: Listing
    last_synced_at: datetime | None
    opened_at: datetime
    updated_at: datetime


def fold(state: ListingFold | None, fact: Fact, event: DomainEvent) -> ListingFold | None:
    if state is None:
        opened = evolve(NotOpened(), event) if isinstance(event, listing.ListingOpened) else NotOpened()
        if isinstance(opened, NotOpened):
            return None
        return ListingFold(
            org_id=fact.org_id,
            version=fact.version,
            position=fact.position,
            listing=opened,
            last_synced_at=None,
            opened_at=fact.occurred_at,
            updated_at=fact.occurred_at,
        )
    evolved = evolve(state.listing, event)  # type: ignore[arg-type]  # a listing stream holds listing events alone
    assert isinstance(evolved, Listing), "a listing once opened stays one"
    state.listing = evolved
    if isinstance(event, listing.PushConfirmed):
        state.last_synced_at = event.confirmed_at
    state.updated_at = fact.occurred_at
    touch(state, fact)
    return state


def freeze(state: ListingFold) -> ListingRow:
    known = state.listing
    groups = dict(statuses(known))
    fields = dict(known.fields)
    return ListingRow(
        org_id=state.org_id,
        version=state.version,
        position=state.position,
        listing_id=known.listing_id,
        product_id=known.product_id,
        connection_id=known.connection_id,
        platform=known.platform,
        **_columns_of(known.link),
        paused=known.paused,
        in_review=dict(known.in_review),
        rejected=dict(known.rejected),
        conflicts_seen=known.conflicts_seen,
        fields=fields,
        groups=groups,
        offer_status=groups[FieldGroup.OFFER].status,
        stock_status=groups[FieldGroup.STOCK].status,
        content_status=groups[FieldGroup.CONTENT].status,
        open_conflicts=sum(field.conflict is not None for field in fields.values()),
        held=sum(field.held is not None for field in fields.values()),
        refused=sum(field.refused is not None for field in fields.values()),
        behind=0 if is_never_shown(known) else sum(not field.agrees for field in fields.values()),
        last_synced_at=state.last_synced_at,
        opened_at=state.opened_at,
        updated_at=state.updated_at,
    )


def thaw(row: ListingRow) -> ListingFold:
    return ListingFold(
        org_id=row.org_id,
        version=row.version,
        position=row.position,
        listing=Listing(
            listing_id=row.listing_id,
            product_id=row.product_id,
            connection_id=row.connection_id,
            platform=row.platform,
            link=_link_of(row),
            fields=row.fields,
            paused=row.paused,
            in_review=row.in_review,
            rejected=row.rejected,
            conflicts_seen=row.conflicts_seen,
        ),
        last_synced_at=row.last_synced_at,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
    )


def _columns_of(link: Link) -> dict[str, Any]:
    match link:
        case NotLinked():
            return {"link": "not_linked", "external_id": None, "external_variants": (), "cut_reason": None}
        case Linked(external_id, variants):
            return {"link": "linked", "external_id": external_id, "external_variants": variants, "cut_reason": None}
        case Cut(external_id, reason):
            return {"link": "cut", "external_id": external_id, "external_variants": (), "cut_reason": reason}


def _link_of(row: ListingRow) -> Link:
    if row.link == "not_linked":
        return NotLinked()
    assert row.external_id is not None, "what is or was linked has the platform's id"
    if row.link == "linked":
        return Linked(row.external_id, row.external_variants)
    return Cut(row.external_id, row.cut_reason or "")


def key_of(fact: Fact, _event: DomainEvent) -> str:
    return identity_of(fact.stream_id)


LISTING_STATUS: Final = View(
    name="listing_status",
    shape=1,
    categories=("listing",),
    row=ListingRow,
    key="listing_id",
    key_of=key_of,
    fold=fold,
    thaw=thaw,
    freeze=freeze,
    folder=Path(__file__).parent,
)
