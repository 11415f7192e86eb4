"""What each event makes of a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from domain.listing import events
from domain.listing.events import ChangedField, FieldGroup
from domain.listing.state import (
    US,
    Confirmed,
    Cut,
    Desired,
    FieldState,
    Held,
    Linked,
    Listing,
    ListingState,
    NotLinked,
    NotOpened,
    OpenConflict,
    Reassertion,
    Refused,
    Shadow,
)
from domain.policies.conflicts import group_of

_REMEMBERED_WISHES: Final = 32
_REMEMBERED_CONFIRMATIONS: Final = 8


def evolve(state: ListingState, event: events.ListingEvent) -> ListingState:
    match state:
        case NotOpened():
            if not isinstance(event, events.ListingOpened):
                return state
            return Listing(
                listing_id=event.listing_id,
                product_id=event.product_id,
                connection_id=event.connection_id,
                platform=event.platform,
            )
        case Listing():
            return _evolve(state, event)
        case _:
            assert_never(state)


def _evolve(listing: Listing, event: events.ListingEvent) -> Listing:  # noqa: C901, PLR0911, PLR0912  # one arm an event
    match event:
        case events.ListingOpened():
            return listing
        case events.ListingLinked(external_id=external_id, variants=variants):
            known = _each(listing, lambda _, field: replace(field, refused=None))
            return replace(listing, link=Linked(external_id, variants), fields=known)
        case events.ListingUnlinked(external_id=external_id, reason=reason):
            return replace(
                listing,
                link=Cut(external_id, reason),
                fields=_each(listing, lambda _, field: _forgotten_shop(field)),
                in_review={},
                rejected={},
            )
        case events.DesiredChanged():
            return _desired_changed(listing, event)
        case events.ShadowObserved(changes=changes, observed_at=at, by=by):
            return _each_changed(listing, changes, lambda field, c: replace(field, shadow=Shadow(c.new, at, by)))
        case events.PushConfirmed(changes=changes, confirmed_at=at):
            groups = {group_of(change.field) for change in changes}
            confirmed = _each_changed(listing, changes, lambda field, change: _confirmed(field, change, at))
            return replace(confirmed, rejected={g: r for g, r in listing.rejected.items() if g not in groups})
        case events.PushRefused(fields=fields):
            refused = Refused(event.error_class, event.code, event.message, event.attempts)
            return _each_named(listing, fields, lambda field: replace(field, refused=refused, held=None))
        case events.PushHeld(fields=fields):
            held = Held(event.code, event.reason, event.recheck_at)
            return _each_named(listing, fields, lambda field: replace(field, held=held, refused=None))
        case events.HoldReleased(fields=fields):
            return _each_named(listing, fields, _released)
        case events.ReviewStarted(group=group, reason=reason):
            without = {g: r for g, r in listing.rejected.items() if g is not group}
            return replace(listing, in_review={**listing.in_review, group: reason}, rejected=without)
        case events.ReviewEnded(group=group, approved=approved, reason=reason):
            left = {g: r for g, r in listing.in_review.items() if g is not group}
            rejected = listing.rejected if approved else {**listing.rejected, group: reason}
            return replace(listing, in_review=left, rejected=rejected)
        case events.ListingPaused(reason=reason):
            return replace(listing, paused=reason)
        case events.ListingResumed():
            return replace(listing, paused=None)
        case events.ConflictDetected():
            return _conflict_detected(listing, event)
        case events.ConflictResolved(field=name):
            return _each_named(listing, (name,), lambda field: replace(field, conflict=None))
        case events.DriftFound(field=name, theirs=theirs, outcome=outcome):
            again = _reasserted(listing.field(name), theirs) if outcome == "ours" else None
            kept = theirs if outcome == "left" else None
            return _each_named(listing, (name,), lambda field: replace(field, reassertion=again, left=kept))
        case events.OverrideKept(field=name, new=value):
            return _each_named(
                listing, (name,), lambda field: replace(field, override=value, refused=None, reassertion=None)
            )
        case _:
            assert_never(event)


def _desired_changed(listing: Listing, event: events.DesiredChanged) -> Listing:
    """A refusal ends when something of its group is changed; before there is an item, when anything is."""
    everything = isinstance(listing.link, NotLinked)
    groups: set[FieldGroup] = {group_of(change.field) for change in event.changes}
    freed = _each(
        listing,
        lambda name, field: replace(field, refused=None) if everything or group_of(name) in groups else field,
    )

    def wish(field: FieldState, change: ChangedField) -> FieldState:
        return replace(
            field,
            desired=None if change.new is None else Desired(change.new, event.changed_at, event.changed_by),
            wanted=(*field.wanted, change.new)[-_REMEMBERED_WISHES:],
            unsent=field.unsent + 1,
            reassertion=None,
            left=None,
        )

    return _each_changed(replace(listing, fields=freed), event.changes, wish)


def _confirmed(field: FieldState, change: ChangedField, at: datetime) -> FieldState:
    """What was observed after the platform's answer is newer knowledge than the answer."""
    outdated = field.shadow is not None and field.shadow.at > at
    earlier = field.earlier if field.confirmed is None else (*field.earlier, field.confirmed.value)
    wanted, unsent = field.wanted, field.unsent
    if change.new in wanted:
        last = len(wanted) - 1 - wanted[::-1].index(change.new)
        wanted = wanted[last + 1 :]
        unsent = len(wanted)
    return replace(
        field,
        confirmed=Confirmed(change.new, at),
        earlier=earlier[-_REMEMBERED_CONFIRMATIONS:],
        shadow=field.shadow if outdated else Shadow(change.new, at, US),
        wanted=wanted,
        unsent=unsent,
        held=None,
        refused=None,
    )


def _released(field: FieldState) -> FieldState:
    let_through = field.target if field.held is not None else field.let_through
    return replace(field, held=None, refused=None, let_through=let_through)


def _forgotten_shop(field: FieldState) -> FieldState:
    """Another item starts from nothing; what we want of it stays."""
    wanted = () if field.desired is None else (field.desired.value,)
    return FieldState(desired=field.desired, wanted=wanted, unsent=len(wanted))


def _conflict_detected(listing: Listing, event: events.ConflictDetected) -> Listing:
    before = listing.field(event.field).conflict
    is_new = before is None or before.conflict_id != event.conflict_id
    conflict = OpenConflict(
        conflict_id=event.conflict_id,
        field=event.field,
        theirs=event.theirs,
        reason=event.reason,
        policy=event.policy,
        policy_version=event.policy_version,
    )
    with_it = _each_named(listing, (event.field,), lambda field: replace(field, conflict=conflict))
    return replace(with_it, conflicts_seen=listing.conflicts_seen + is_new)


def _reasserted(field: FieldState, theirs: events.Value) -> Reassertion:
    before = field.reassertion
    return Reassertion(theirs, before.times + 1 if before is not None and before.theirs == theirs else 1)


def _each(listing: Listing, change: Callable[[str, FieldState], FieldState]) -> Mapping[str, FieldState]:
    return {name: change(name, field) for name, field in listing.fields.items()}


def _each_named(listing: Listing, names: Iterable[str], change: Callable[[FieldState], FieldState]) -> Listing:
    return replace(listing, fields={**listing.fields, **{name: change(listing.field(name)) for name in names}})


def _each_changed(
    listing: Listing, changes: Iterable[ChangedField], change: Callable[[FieldState, ChangedField], FieldState]
) -> Listing:
    changed = {c.field: change(listing.field(c.field), c) for c in changes}
    return replace(listing, fields={**listing.fields, **changed})
