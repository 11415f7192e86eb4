"""When a shop's value and ours disagree: whose doing it is, and which one stands.

A conflict exists only when somebody else moved the shop's value and ours moved too since the last confirmation, of the
same field. When only the shop moved it is drift (or adoption, where nothing of ours was ever confirmed), and what we
pushed ourselves is an echo. Either way `resolve` answers from the policy; a platform that wins becomes an override of
its listing, and the master stays as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct

from domain.listing.events import FieldGroup, Value
from domain.policies.conflict_policy import (
    DEFAULT_POLICY,
    ConflictPolicy,
    LatestWins,
    Manual,
    MasterWinsAlways,
    OrderedRules,
    PlatformPriority,
    PlatformWinsAlways,
    Rule,
    Strategy,
    Theirs,
    Winner,
    strategy_for,
)
from domain.values import Platform

__all__ = [
    "DEFAULT_POLICY",
    "MASTER",
    "Adoption",
    "Conflict",
    "ConflictPolicy",
    "Drift",
    "Echo",
    "FieldFacts",
    "LatestWins",
    "Manual",
    "MasterWins",
    "MasterWinsAlways",
    "NeedsPerson",
    "OrderedRules",
    "PlatformPriority",
    "PlatformWins",
    "PlatformWinsAlways",
    "Resolution",
    "Rule",
    "Stale",
    "Strategy",
    "Theirs",
    "Unchanged",
    "Verdict",
    "Winner",
    "group_of",
    "judge",
    "resolve",
    "strategy_for",
]

MASTER: Final = "master"
"""How the master catalogue is named in a priority order, beside the platforms' wire names."""


class FieldFacts(Struct, frozen=True, kw_only=True):
    """All that is known of one field of one listing at the moment a platform's value was seen."""

    field: str
    group: FieldGroup
    platform: Platform
    desired: Value
    desired_at: datetime
    desired_by: str
    confirmed: Value
    confirmed_at: datetime | None
    """None when no value of ours was ever confirmed; `confirmed` then means nothing."""
    shadow_before: Value
    observed: Value
    observed_at: datetime
    observed_by: str
    changed_at: datetime | None = None
    """When theirs was changed, at the latest, where that is known better than by when we looked."""
    in_flight: tuple[Value, ...] = ()
    """Values sent and not answered yet."""
    desired_source: str = MASTER
    """Where the desired value comes from: "master", or the wire name of the platform it was taken over from."""


class Unchanged(Struct, frozen=True, tag="unchanged"):
    """The shop shows what it showed before."""


class Stale(Struct, frozen=True, tag="stale"):
    """Seen before our last confirmation: it tells nothing about now."""


class Echo(Struct, frozen=True, tag="echo"):
    """Our own value coming back: confirmed earlier, or in flight."""


class Adoption(Struct, frozen=True, tag="adoption"):
    """Nothing to decide: the first value seen of a field we never wrote, or just what we want."""

    reason: str


class Drift(Struct, frozen=True, tag="drift"):
    """Somebody else moved the shop's value while ours stood still."""

    reason: str


class Conflict(Struct, frozen=True, tag="conflict"):
    """Both moved since the last confirmation."""

    reason: str


Verdict = Unchanged | Stale | Echo | Adoption | Drift | Conflict


class MasterWins(Struct, frozen=True, tag="master_wins"):
    """Push ours again."""

    reason: str


class PlatformWins(Struct, frozen=True, tag="platform_wins"):
    """Keep theirs as this listing's override; the master does not move."""

    reason: str


class NeedsPerson(Struct, frozen=True, tag="needs_person"):
    """Nothing moves until somebody decides."""

    reason: str


Resolution = MasterWins | PlatformWins | NeedsPerson


def group_of(field: str) -> FieldGroup:
    """Fields named "price:SKU" are of the offer, "stock:SKU" of the stock, everything else of the content."""
    kind = field.partition(":")[0]
    return {"price": FieldGroup.OFFER, "stock": FieldGroup.STOCK}.get(kind, FieldGroup.CONTENT)


def judge(facts: FieldFacts) -> Verdict:  # noqa: PLR0911  # a ladder of situations, the first that fits is the verdict
    """What an observed value means. Total: every combination of values has one verdict."""
    if facts.observed == facts.shadow_before:
        return Unchanged()
    if facts.observed in facts.in_flight or (facts.confirmed_at is not None and facts.observed == facts.confirmed):
        return Echo()
    if facts.observed == facts.desired:
        return Adoption("the shop shows the value we want already")
    if facts.confirmed_at is None:
        return Adoption("no value of ours was ever confirmed for this field")
    if facts.observed_at < facts.confirmed_at:
        return Stale()
    moved = f"{facts.observed_by} set {facts.observed!r} at the shop"
    if facts.desired == facts.confirmed:
        return Drift(f"{moved}; ours is {facts.desired!r} since it was confirmed")
    return Conflict(f"{moved}; {facts.desired_by} set {facts.desired!r} since {facts.confirmed!r} was confirmed")


def resolve(facts: FieldFacts, policy: ConflictPolicy) -> Resolution:
    """Which value stands under a policy, and why. Total; works for drift as for conflicts."""
    match strategy_for(policy, facts.group):
        case MasterWinsAlways():
            return MasterWins(f"{facts.group}: the master catalogue wins")
        case PlatformWinsAlways():
            return PlatformWins(f"{facts.group}: the shop's own value is kept")
        case LatestWins():
            return _latest(facts)
        case PlatformPriority() as priority:
            return _by_priority(facts, priority)
        case OrderedRules() as ordered:
            return _by_rules(facts, ordered)
        case Manual():
            return NeedsPerson(f"{facts.group}: decided by hand")
        case other:
            assert_never(other)


def _latest(facts: FieldFacts) -> Resolution:
    ours, theirs = facts.desired_at, facts.changed_at or facts.observed_at
    if theirs > ours:
        return PlatformWins(
            f"latest wins: the shop's change of {theirs.isoformat()} is after ours of {ours.isoformat()}"
        )
    if theirs == ours:
        return MasterWins(f"both changes are of {ours.isoformat()}; a tie goes to the master catalogue")
    return MasterWins(f"latest wins: our change of {ours.isoformat()} is after the shop's of {theirs.isoformat()}")


def _by_priority(facts: FieldFacts, priority: PlatformPriority) -> Resolution:
    rank = {source: place for place, source in reversed(list(enumerate(priority.order)))}
    last = len(priority.order)
    ours, theirs = rank.get(facts.desired_source, last), rank.get(facts.platform, last)
    if ours == theirs == last:
        return NeedsPerson(f"neither {facts.desired_source} nor {facts.platform} is in the order of priority")
    if theirs < ours:
        return PlatformWins(f"{facts.platform} stands before {facts.desired_source} in the order of priority")
    return MasterWins(f"{facts.desired_source} stands before {facts.platform} in the order of priority")


def _by_rules(facts: FieldFacts, ordered: OrderedRules) -> Resolution:
    for rule in ordered.rules:
        if _applies(rule, facts):
            return _decided(rule, facts)
    return NeedsPerson("no rule applies")


def _decided(rule: Rule, facts: FieldFacts) -> Resolution:
    reason = f"rule {rule.name!r}"
    match rule.winner:
        case Winner.MASTER:
            return MasterWins(reason)
        case Winner.PLATFORM:
            return PlatformWins(reason)
        case Winner.PERSON:
            return NeedsPerson(reason)
        case Winner.LATEST:
            latest = _latest(facts)
            return type(latest)(f"{reason}: {latest.reason}")
        case _:
            assert_never(rule.winner)


def _applies(rule: Rule, facts: FieldFacts) -> bool:
    return (
        (not rule.groups or facts.group in rule.groups)
        and (not rule.platforms or facts.platform in rule.platforms)
        and (not rule.observed_by or facts.observed_by in rule.observed_by)
        and _figures_agree(rule, facts.desired, facts.observed)
    )


def _figures_agree(rule: Rule, ours: Value, theirs: Value) -> bool:
    """A condition on figures fails for values that are none."""
    limit = rule.difference_at_most_percent
    if rule.theirs is None and limit is None:
        return True
    if type(ours) is not int or type(theirs) is not int:
        return False
    if rule.theirs is not None and (theirs > ours) is not (rule.theirs is Theirs.HIGHER):
        return False
    return limit is None or abs(theirs - ours) * 100 <= limit * abs(ours)
