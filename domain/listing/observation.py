"""What an observed shop value leads to: nothing for echoes of our own, else shadow, drift or conflict, by policy.

An echo may come back before the answer to our push is recorded, and after a newer value is desired already. So every
value desired since the last confirmation counts as being on its way; no event is needed when a push starts. Values
confirmed earlier may come back for a while after they were replaced, as shops deliver notifications late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never
from uuid import uuid5

from domain.listing.commands import Choice, Observe
from domain.listing.events import (
    ChangedField,
    ConflictDetected,
    ConflictResolved,
    DriftFound,
    FieldGroup,
    ListingEvent,
    OverrideKept,
    ShadowObserved,
    Value,
)
from domain.listing.fields import LISTED
from domain.listing.resolution import by_hand
from domain.listing.state import FieldState, Listing, OpenConflict
from domain.policies.conflict_policy import ConflictPolicy, strategy_for
from domain.policies.conflicts import (
    Adoption,
    Conflict,
    Drift,
    Echo,
    FieldFacts,
    MasterWins,
    NeedsPerson,
    PlatformWins,
    Resolution,
    Stale,
    Unchanged,
    group_of,
    judge,
    resolve,
)
from domain.values import NAMESPACE

ECHO_GRACE: Final = timedelta(seconds=60)
"""How long after a confirmation an earlier value of ours is taken for a late echo, not for somebody's undoing."""
MAX_REASSERTIONS: Final = 3
"""How often ours is put back in place of the same value; then a person looks: the shop may be unable to show ours."""


def observe(command: Observe, listing: Listing) -> Sequence[ListingEvent]:
    seen: list[ChangedField] = []
    decided: list[ListingEvent] = []
    conflicts = listing.conflicts_seen
    for name, value in sorted(command.values.items()):
        field = listing.field(name)
        change, led_to = _look(name, field, value, command, listing, conflicts)
        conflicts += sum(isinstance(event, ConflictDetected) for event in led_to)
        seen += change
        decided += led_to
    if not seen:
        return decided
    shadow = ShadowObserved(changes=tuple(seen), observed_at=command.observed_at, source=command.source, by=command.by)
    return [shadow, *decided]


_Look = tuple[list[ChangedField], list[ListingEvent]]
_NOTHING: Final[_Look] = ([], [])


def _look(  # noqa: C901, PLR0911  # a ladder of situations, the first that fits decides
    name: str, field: FieldState, value: Value, command: Observe, listing: Listing, conflicts: int
) -> _Look:
    if field.shadow is not None and (field.shadow.value == value or command.observed_at < field.shadow.at):
        return _NOTHING
    seen = [ChangedField(field=name, old=None if field.shadow is None else field.shadow.value, new=value)]
    if field.desired is None or value is None:
        return seen, []
    if field.conflict is not None and value == field.target:
        return seen, [_settled_at_shop(field.conflict, value, command)]
    if field.override is not None:
        return _follow(name, field, value, command, seen)
    facts = _facts(name, field, value, command, listing)
    match judge(facts):
        case Unchanged() | Stale():
            return _NOTHING
        case Echo():
            if field.confirmed is None or value != field.confirmed.value:
                return _NOTHING
            # Somebody had changed it, and it is back at what we confirmed: no echo, as that would be older.
            return seen, [] if field.conflict is None else [_settled_at_shop(field.conflict, value, command)]
        case Adoption():
            return seen, []
        case Drift(reason=reason):
            return seen, _on_drift(facts, field, reason, command, _conflict_id(listing, field, conflicts))
        case Conflict(reason=reason):
            conflict = _conflict(facts, reason, command.policy, _conflict_id(listing, field, conflicts))
            return seen, _on_conflict(conflict, field, _resolve(facts, command.policy))
        case other:
            assert_never(other)


def _facts(name: str, field: FieldState, value: Value, command: Observe, listing: Listing) -> FieldFacts:
    assert field.desired is not None
    on_their_way: tuple[Value, ...] = ()
    if field.confirmed is not None:
        on_their_way = field.wanted
        if command.observed_at <= field.confirmed.at + ECHO_GRACE:
            on_their_way = (*on_their_way, *field.earlier)
    return FieldFacts(
        field=name,
        group=group_of(name),
        platform=listing.platform,
        desired=field.desired.value,
        desired_at=field.desired.at,
        desired_by=field.desired.by,
        confirmed=None if field.confirmed is None else field.confirmed.value,
        confirmed_at=None if field.confirmed is None else field.confirmed.at,
        shadow_before=None if field.shadow is None else field.shadow.value,
        observed=value,
        observed_at=command.observed_at,
        observed_by=command.by,
        changed_at=_changed_at(name, command),
        in_flight=on_their_way,
    )


def _changed_at(name: str, command: Observe) -> datetime | None:
    changed = command.content_changed_at if group_of(name) is FieldGroup.CONTENT else None
    return None if changed is None else min(changed, command.observed_at)


def _follow(name: str, field: FieldState, value: Value, command: Observe, seen: list[ChangedField]) -> _Look:
    """An override follows the shop, but for values of ours that come back late."""
    recent = field.confirmed is not None and command.observed_at <= field.confirmed.at + ECHO_GRACE
    if recent and value in (*field.wanted, *field.earlier, field.confirmed and field.confirmed.value):
        return _NOTHING
    if value == field.override:
        return seen, []
    reason = f"{command.by} changed the shop's own value again"
    return seen, [OverrideKept(field=name, old=field.override, new=value, reason=reason)]


def _on_drift(
    facts: FieldFacts, field: FieldState, reason: str, command: Observe, conflict_id: str
) -> list[ListingEvent]:
    resolution = _resolve(facts, command.policy)
    stuck = field.reassertion
    is_stuck = stuck is not None and stuck.theirs == facts.observed and stuck.times >= MAX_REASSERTIONS
    if is_stuck and isinstance(resolution, MasterWins):
        resolution = NeedsPerson(f"the shop has gone back to {facts.observed!r} {MAX_REASSERTIONS} times")
    match resolution:
        case MasterWins() if _is_sold(facts):
            left = "fewer pieces are taken for sales, and left until our stock moves"
            return [_drift(facts, "left", f"{reason}; {left}", command.policy)]
        case MasterWins():
            return [_drift(facts, "ours", f"{reason}; {resolution.reason}", command.policy)]
        case PlatformWins():
            return [
                _drift(facts, "theirs", f"{reason}; {resolution.reason}", command.policy),
                OverrideKept(field=facts.field, old=None, new=facts.observed, reason=resolution.reason),
            ]
        case NeedsPerson():
            return [_conflict(facts, f"{reason}; {resolution.reason}", command.policy, conflict_id)]
        case _:
            assert_never(resolution)


def _resolve(facts: FieldFacts, policy: ConflictPolicy) -> Resolution:
    """No policy puts back on sale what we do not sell."""
    if facts.field == LISTED and facts.desired is False:
        return MasterWins("what we do not sell stays off sale")
    return resolve(facts, policy)


def _is_sold(facts: FieldFacts) -> bool:
    """A sale lowers the shop's stock before anybody tells us; to put ours back would sell the same pieces again."""
    ours, theirs = facts.desired, facts.observed
    return facts.group is FieldGroup.STOCK and isinstance(ours, int) and isinstance(theirs, int) and theirs < ours


def _on_conflict(conflict: ConflictDetected, field: FieldState, resolution: Resolution) -> list[ListingEvent]:
    match resolution:
        case NeedsPerson():
            return [conflict]
        case MasterWins():
            return [conflict, _resolved(conflict, "ours", conflict.ours, resolution.reason)]
        case PlatformWins():
            kept = OverrideKept(field=conflict.field, old=field.override, new=conflict.theirs, reason=resolution.reason)
            return [conflict, _resolved(conflict, "theirs", conflict.theirs, resolution.reason), kept]
        case _:
            assert_never(resolution)


def _conflict_id(listing: Listing, field: FieldState, conflicts: int) -> str:
    """Derived, so that deciding again after a race names the same conflict. An open one goes on under its id."""
    if field.conflict is not None:
        return field.conflict.conflict_id
    return str(uuid5(NAMESPACE, f"conflict/{listing.listing_id}/{conflicts + 1}"))


def _conflict(facts: FieldFacts, reason: str, policy: ConflictPolicy, conflict_id: str) -> ConflictDetected:
    return ConflictDetected(
        conflict_id=conflict_id,
        field=facts.field,
        ours=facts.desired,
        theirs=facts.observed,
        confirmed=facts.confirmed,
        ours_at=facts.desired_at,
        theirs_at=facts.observed_at,
        ours_by=facts.desired_by,
        theirs_by=facts.observed_by,
        reason=reason,
        strategy=_strategy(facts, policy),
        policy=policy.policy_id,
        policy_version=policy.version,
    )


def _drift(facts: FieldFacts, outcome: str, reason: str, policy: ConflictPolicy) -> DriftFound:
    return DriftFound(
        field=facts.field,
        ours=facts.desired,
        theirs=facts.observed,
        theirs_at=facts.observed_at,
        theirs_by=facts.observed_by,
        outcome=outcome,
        reason=reason,
        strategy=_strategy(facts, policy),
        policy=policy.policy_id,
        policy_version=policy.version,
    )


def _strategy(facts: FieldFacts, policy: ConflictPolicy) -> str:
    return str(strategy_for(policy, facts.group).__struct_config__.tag)


def _resolved(conflict: ConflictDetected, outcome: str, value: Value, reason: str) -> ConflictResolved:
    return ConflictResolved(
        conflict_id=conflict.conflict_id,
        field=conflict.field,
        outcome=outcome,
        value=value,
        strategy=conflict.strategy,
        policy=conflict.policy,
        policy_version=conflict.policy_version,
        reason=reason,
        by="policy",
    )


def _settled_at_shop(conflict: OpenConflict, value: Value, command: Observe) -> ConflictResolved:
    return by_hand(conflict, Choice.OURS, value, by=command.by, reason="the shop shows our value again")
