"""How a person decides a conflict: ours, theirs, or a third value for this shop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from domain.errors import Refusal
from domain.listing.commands import Choice, ResolveConflict
from domain.listing.events import ConflictResolved, ListingEvent, OverrideKept, Value
from domain.listing.fields import check_value
from domain.listing.state import Listing, OpenConflict


class UnknownConflict(Refusal):
    code = "conflict_unknown"
    remedy = "Read the open conflicts again; this one may have been resolved meanwhile."


class NoValueGiven(Refusal):
    code = "conflict_value_missing"
    remedy = "Give the value to show, or choose ours or theirs."


def resolve_by_person(command: ResolveConflict, listing: Listing) -> Sequence[ListingEvent]:
    conflict = next((c for c in listing.open_conflicts if c.conflict_id == command.conflict_id), None)
    if conflict is None:
        raise UnknownConflict(f"no open conflict {command.conflict_id!r}", conflict_id=command.conflict_id)
    field = listing.field(conflict.field)
    ours = None if field.desired is None else field.desired.value
    theirs = conflict.theirs if field.shadow is None else field.shadow.value
    kept: Value
    match command.outcome:
        case Choice.OURS:
            kept = None
        case Choice.THEIRS:
            kept = theirs
        case Choice.VALUE:
            if command.value is None:
                raise NoValueGiven("a value of one's own was chosen and not given", field="value")
            check_value(conflict.field, command.value)
            kept = command.value
        case _:
            assert_never(command.outcome)
    reason = command.reason or f"{command.by} chose {command.outcome}"
    value = ours if kept is None else kept
    resolved = by_hand(conflict, command.outcome, value, by=command.by, reason=reason)
    if kept == field.override:
        return [resolved]
    return [resolved, OverrideKept(field=conflict.field, old=field.override, new=kept, reason=reason)]


def by_hand(conflict: OpenConflict, outcome: Choice, value: Value, *, by: str, reason: str) -> ConflictResolved:
    return ConflictResolved(
        conflict_id=conflict.conflict_id,
        field=conflict.field,
        outcome=outcome.value,
        value=value,
        strategy="person",
        policy=conflict.policy,
        policy_version=conflict.policy_version,
        reason=reason,
        by=by,
    )
