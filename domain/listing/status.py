"""How a group of a listing's fields stands, with reasons: one vocabulary, from which every label is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.listing.diff import is_withdrawn
from domain.listing.events import FieldGroup
from domain.listing.state import Cut, FieldState, Listing, NotLinked
from domain.policies.conflicts import group_of


class Status(StrEnum):
    NOT_LISTED = "not_listed"
    PENDING = "pending"
    SYNCING = "syncing"  # never derived from facts: whoever shows a push on its way says it of a pending group
    SYNCED = "synced"
    PARTIAL = "partial"
    HELD = "held"
    IN_REVIEW = "in_review"
    ERROR = "error"
    DISABLED = "disabled"
    ARCHIVED = "archived"


class Label(Struct, frozen=True):
    english: str
    indonesian: str


LABELS: Final[Mapping[Status, Label]] = {
    Status.NOT_LISTED: Label("Not synced", "Belum tayang"),
    Status.PENDING: Label("Syncing…", "Menunggu sinkronisasi"),
    Status.SYNCING: Label("Syncing…", "Sedang disinkronkan"),
    Status.SYNCED: Label("Synced", "Tersinkron"),
    Status.PARTIAL: Label("Partly synced", "Sebagian tersinkron"),
    Status.HELD: Label("Held", "Ditahan"),
    Status.IN_REVIEW: Label("In review", "Sedang ditinjau"),
    Status.ERROR: Label("Error", "Gagal"),
    Status.DISABLED: Label("Paused", "Dijeda"),
    Status.ARCHIVED: Label("Archived", "Diarsipkan"),
}


class Reason(Struct, frozen=True, kw_only=True):
    """`field` is None for what concerns the whole group."""

    field: str | None
    code: str
    message: str


class GroupStatus(Struct, frozen=True, kw_only=True):
    status: Status
    reasons: tuple[Reason, ...] = ()


def statuses(listing: Listing) -> Mapping[FieldGroup, GroupStatus]:
    return {group: status_of(listing, group) for group in FieldGroup}


def status_of(listing: Listing, group: FieldGroup) -> GroupStatus:
    fields = {name: field for name, field in sorted(listing.fields.items()) if group_of(name) is group}
    reasons = tuple(reason for name, field in fields.items() if (reason := reason_of(name, field)) is not None)
    whole = _of_listing(listing, fields)
    if whole is not None:
        return GroupStatus(status=whole.status, reasons=(*whole.reasons, *reasons))
    if group in listing.in_review:
        review = Reason(field=None, code="in_review", message=listing.in_review[group])
        return GroupStatus(status=Status.IN_REVIEW, reasons=(review, *reasons))
    if group in listing.rejected:
        review = Reason(field=None, code="review_rejected", message=listing.rejected[group])
        return GroupStatus(status=Status.ERROR, reasons=(review, *reasons))
    return GroupStatus(status=_of_fields(fields.values()), reasons=reasons)


def _of_listing(listing: Listing, fields: Mapping[str, FieldState]) -> GroupStatus | None:
    """What concerns all groups alike comes before what a field has to say."""
    if isinstance(listing.link, Cut):
        cut = Reason(field=None, code="unlinked", message=listing.link.reason)
        return GroupStatus(status=Status.DISABLED, reasons=(cut,))
    if listing.paused is not None:
        return GroupStatus(status=Status.DISABLED, reasons=(Reason(field=None, code="paused", message=listing.paused),))
    nothing_wanted = all(field.target is None and field.held is None for field in fields.values())
    if is_withdrawn(listing):
        if isinstance(listing.link, NotLinked):
            return GroupStatus(status=Status.NOT_LISTED)
        if listing.field("listed").agrees:
            return GroupStatus(status=Status.ARCHIVED)
    return GroupStatus(status=Status.NOT_LISTED) if nothing_wanted else None


def _of_fields(fields: Iterable[FieldState]) -> Status:
    """The worst that is true of any field, softened to partial where others are well."""
    wanted = [field for field in fields if field.target is not None or field.held is not None]
    fine = any(_is_synced(field) for field in wanted)
    if any(field.refused is not None for field in wanted):
        return Status.PARTIAL if fine else Status.ERROR
    if any(field.held is not None or field.conflict is not None for field in wanted):
        return Status.PARTIAL if fine else Status.HELD
    return Status.SYNCED if all(_is_synced(field) for field in wanted) else Status.PENDING


def _is_synced(field: FieldState) -> bool:
    return field.agrees and field.held is None and field.refused is None and field.conflict is None


def reason_of(name: str, field: FieldState) -> Reason | None:
    """What is in a field's way, the most pressing first."""
    if field.conflict is not None:
        return Reason(field=name, code="conflict", message=field.conflict.reason)
    if field.refused is not None:
        return Reason(field=name, code=field.refused.code, message=field.refused.message)
    if field.held is not None:
        return Reason(field=name, code=field.held.code, message=field.held.reason)
    if field.override is not None:
        return Reason(field=name, code="override_kept", message="the shop's own value is kept")
    return None
