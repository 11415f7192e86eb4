"""What is recorded of wishes and pushes: only what differs from what is known, so that telling it twice is harmless."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from domain.listing.commands import OWN_HOLDS, Choice, HeldValue, PostponedValue, PushedValue, RecordPush, SetDesired
from domain.listing.events import (
    ChangedField,
    DesiredChanged,
    FieldGroup,
    HoldReleased,
    ListingEvent,
    OverrideKept,
    PushConfirmed,
    PushHeld,
    PushRefused,
    Value,
)
from domain.listing.fields import LISTED
from domain.listing.resolution import by_hand
from domain.listing.state import Held, Listing, Refused
from domain.policies.conflicts import group_of


def set_desired(command: SetDesired, listing: Listing) -> Sequence[ListingEvent]:
    held = {hold.field for hold in command.holds}
    values = dict(command.values)
    for name, field in listing.fields.items():
        if field.desired is not None and name not in values and name not in held:
            # What is not sold any more must not stay on sale.
            values[name] = 0 if group_of(name) is FieldGroup.STOCK else None
    changes = [
        ChangedField(field=name, old=old, new=value)
        for name, value in sorted(values.items())
        if (old := _desired(listing, name)) != value
    ]
    gone = sorted(values.keys() - command.values.keys())
    return [
        *_desired_changed(command, changes),
        *_settled(command, changes, gone, listing),
        *_holds_changed(command, values, listing),
    ]


def _desired_changed(command: SetDesired, changes: Sequence[ChangedField]) -> list[ListingEvent]:
    if not changes:
        return []
    priced = any(group_of(change.field) is FieldGroup.OFFER for change in changes)
    changed = {change.field for change in changes}
    return [
        DesiredChanged(
            changes=tuple(changes),
            cause=command.cause,
            changed_at=command.at,
            changed_by=command.by,
            pricing_rule=command.pricing_rule if priced else None,
            pricing_rule_version=command.pricing_rule_version if priced else None,
            quotes=tuple(one for one in command.quotes if one.field in changed),
        )
    ]


def _settled(
    command: SetDesired, changes: Sequence[ChangedField], gone: Collection[str], listing: Listing
) -> Iterator[ListingEvent]:
    """A conflict ends when we want what the shop shows, or nothing. What is not sold any more is not kept as the shop
    has it, and whether a product is for sale is the master's to say each time that changes.
    """
    changed = {change.field: change.new for change in changes}
    for name in sorted({*changed, *gone}):
        field = listing.field(name)
        new = changed.get(name, None if field.desired is None else field.desired.value)
        shown = None if field.shadow is None else field.shadow.value
        if field.conflict is not None and (name in gone or new == shown):
            reason = "it is not sold any more" if name in gone else "we want what the shop shows"
            yield by_hand(field.conflict, Choice.OURS, new, by=command.by, reason=reason)
        later = field.shadow is None or command.at > field.shadow.at
        yields = name == LISTED or (group_of(name) in command.latest_wins and later)
        if field.override is not None and (name in gone or yields):
            reason = "it is not sold any more" if name in gone else "the master has changed it since"
            yield OverrideKept(field=name, old=field.override, new=None, reason=reason)


def _desired(listing: Listing, name: str) -> Value:
    desired = listing.field(name).desired
    return None if desired is None else desired.value


def _holds_changed(command: SetDesired, values: Mapping[str, Value], listing: Listing) -> list[ListingEvent]:
    changed: list[ListingEvent] = []
    wanted = {hold.field: hold for hold in command.holds}
    freed = [
        name
        for name, field in sorted(listing.fields.items())
        if field.held is not None and field.held.code in OWN_HOLDS and name not in wanted
    ]
    if freed:
        changed.append(HoldReleased(fields=tuple(freed), reason="the value can be shown again"))
    by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, hold in sorted(wanted.items()):
        if not _is_known(hold, values.get(name), listing):
            by_reason[hold.code, hold.reason].append(name)
    changed += [
        PushHeld(fields=tuple(names), code=code, reason=reason, recheck_at=None)
        for (code, reason), names in by_reason.items()
    ]
    return changed


def _is_known(hold: HeldValue, value: Value, listing: Listing) -> bool:
    """Held for the same reason already, or let through by a person."""
    field = listing.field(hold.field)
    if value is not None and field.let_through == value:
        return True
    return field.held == Held(hold.code, hold.reason, None)


def record_push(command: RecordPush, listing: Listing) -> Sequence[ListingEvent]:
    return [*_confirmed(command, listing), *_refused(command, listing), *hold(command.held, listing)]


def _confirmed(command: RecordPush, listing: Listing) -> list[ListingEvent]:
    new = [row for row in command.confirmed if not _is_recorded(row, command.answered_at, listing)]
    if not new:
        return []
    since = command.wanted_since or min(
        (field.desired.at for row in new if (field := listing.field(row.field)).desired is not None),
        default=command.answered_at,
    )
    changes = []
    for row in sorted(new, key=lambda row: row.field):
        before = listing.field(row.field).confirmed
        changes.append(ChangedField(field=row.field, old=None if before is None else before.value, new=row.value))
    return [
        PushConfirmed(
            changes=tuple(changes),
            confirmed_at=command.answered_at,
            skipped=command.skipped,
            latency_ms=max(round((command.answered_at - since).total_seconds() * 1_000), 0),
        )
    ]


def _is_recorded(row: PushedValue, answered_at: datetime, listing: Listing) -> bool:
    known = listing.field(row.field).confirmed
    return known is not None and (known.at > answered_at or (known.at == answered_at and known.value == row.value))


def _refused(command: RecordPush, listing: Listing) -> list[ListingEvent]:
    """A value that is not wanted any more needs no attention, whatever the platform had against it."""
    by_reason: dict[Refused, list[str]] = defaultdict(list)
    for row in command.refused:
        refused = Refused(row.error_class, row.code, row.message, row.attempts)
        field = listing.field(row.field)
        if field.target == row.value and field.refused != refused:
            by_reason[refused].append(row.field)
    return [
        PushRefused(
            fields=tuple(sorted(names)),
            error_class=why.error_class,
            code=why.code,
            message=why.message,
            attempts=why.attempts,
        )
        for why, names in by_reason.items()
    ]


def hold(rows: Sequence[PostponedValue], listing: Listing) -> list[ListingEvent]:
    by_reason: dict[Held, list[str]] = defaultdict(list)
    for row in rows:
        held = Held(row.code, row.reason, row.recheck_at)
        if listing.field(row.field).held != held:
            by_reason[held].append(row.field)
    return [
        PushHeld(fields=tuple(sorted(names)), code=why.code, reason=why.reason, recheck_at=why.recheck_at)
        for why, names in by_reason.items()
    ]
