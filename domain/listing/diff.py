"""What a listing needs pushed, worked out at the moment of sending: values superseded meanwhile have vanished."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from domain.listing.events import FieldGroup, Value
from domain.listing.fields import LISTED
from domain.listing.state import Cut, FieldState, Linked, Listing, ListingState, NotLinked, NotOpened
from domain.policies.conflicts import group_of


class DueField(Struct, frozen=True, kw_only=True):
    field: str
    value: Value
    shown: Value
    """What the shop shows, as far as is known."""
    wanted_since: datetime
    superseded: int
    """Values desired since the last confirmation that will never be sent."""


Due = Mapping[FieldGroup, tuple[DueField, ...]]


def due(state: ListingState, now: datetime) -> Due:
    """The fields to send by group, groups without any left out.

    Left out are fields that are held (until their time to look again), refused and not changed since, waiting for a
    person, or kept as the shop has them; and everything while the listing is paused or its tie is cut. An item that is
    not there yet is made whole or not at all, and not to be hidden at once.
    """
    if isinstance(state, NotOpened) or state.paused is not None or isinstance(state.link, Cut):
        return {}
    wanted = {name: field for name, field in state.fields.items() if not field.agrees}
    ready = {name: field for name, field in wanted.items() if not _waits(field, now)}
    if is_never_shown(state) or (isinstance(state.link, NotLinked) and _blocked(state, now)):
        return {}
    groups: dict[FieldGroup, tuple[DueField, ...]] = {}
    for group in FieldGroup:
        rows = tuple(_row(name, field) for name, field in sorted(ready.items()) if group_of(name) is group)
        if rows:
            groups[group] = rows
    return groups


def superseded(rows: Due) -> int:
    """How many values a push of all this skips; see `RecordPush.skipped`."""
    return sum(row.superseded for group in rows.values() for row in group)


def is_withdrawn(listing: Listing) -> bool:
    """We do not want it shown."""
    return listing.field(LISTED).target is False


def is_never_shown(listing: Listing) -> bool:
    """Withdrawn before there was an item to withdraw: there is nothing to do."""
    return isinstance(listing.link, NotLinked) and is_withdrawn(listing)


def needs_creation(listing: Listing) -> bool:
    return isinstance(listing.link, NotLinked)


def external_variants(listing: Listing) -> Mapping[str, str | None]:
    """The platform's variant ids by SKU; empty while not linked."""
    if not isinstance(listing.link, Linked):
        return {}
    return {variant.sku: variant.external_id for variant in listing.link.variants}


def _blocked(listing: Listing, now: datetime) -> bool:
    """A held field without any value counts: a price that cannot be made must not be left out of a new item."""
    return any(_waits(field, now) for field in listing.fields.values())


def _waits(field: FieldState, now: datetime) -> bool:
    if field.conflict is not None or field.refused is not None:
        return True
    held = field.held
    return held is not None and (held.recheck_at is None or held.recheck_at > now)


def _row(name: str, field: FieldState) -> DueField:
    shadow, desired = field.shadow, field.desired
    times = [known.at for known in (desired, shadow) if known is not None]
    return DueField(
        field=name,
        value=field.target,
        shown=None if shadow is None else shadow.value,
        wanted_since=max(times),
        superseded=field.superseded,
    )
