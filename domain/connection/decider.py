"""How a connection answers commands: rules and policies are checked and versioned, pauses kept until they may end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeVar, assert_never

from msgspec import UnsetType
from msgspec.structs import replace

from domain.connection import events
from domain.connection.commands import (
    ChangeCategories,
    ChangeConflictPolicy,
    ChangePricingRule,
    ConnectionCommand,
    OpenConnection,
    PauseConnection,
    ResumeConnection,
)
from domain.connection.evolution import evolve
from domain.connection.state import Connection, ConnectionState, NotOpened, Paused
from domain.decider import Decider
from domain.errors import Refusal
from domain.messages import Claim
from domain.policies.conflict_policy import ConflictPolicy, OrderedRules, PlatformPriority
from domain.policies.conflicts import MASTER
from domain.policies.pricing import PricingRule, check_rule, default_rule
from domain.product.limits import check_text
from domain.values import Platform

T = TypeVar("T")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SHOP_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


class NoSuchConnection(Refusal):
    code = "connection_unknown"
    remedy = "Check the connection id, or connect the shop first."


class ConnectionExists(Refusal):
    code = "connection_exists"
    remedy = "Choose another connection id, or change the one that is there."


class InvalidConnection(Refusal):
    code = "connection_invalid"
    remedy = "Use letters, digits, dashes and underscores for ids; give a label of 1 to 100 characters."


class InvalidConflictPolicy(Refusal):
    code = "conflict_policy_invalid"
    remedy = "Correct what is named."


class PersonNeeded(Refusal):
    code = "connection_needs_person"
    remedy = "Authorise the shop again, then resume the connection by hand."


def decide(command: ConnectionCommand, state: ConnectionState) -> Sequence[events.ConnectionEvent]:
    match state:
        case NotOpened():
            if isinstance(command, OpenConnection):
                return [_opened(command)]
            raise NoSuchConnection("there is no such connection")
        case Connection():
            return _decide_open(command, state)
        case _:
            assert_never(state)


def claims_of(state: ConnectionState) -> frozenset[Claim]:
    """A shop is connected at most once, and in one organisation only."""
    if isinstance(state, NotOpened):
        return frozenset()
    return frozenset({Claim("shop", f"{state.platform}:{state.shop_id}")})


def _decide_open(  # one arm a command
    command: ConnectionCommand, connection: Connection
) -> Sequence[events.ConnectionEvent]:
    match command:
        case OpenConnection():
            if evolve(NotOpened(), _opened(command)) == connection:
                return []
            raise ConnectionExists(
                f"connection {connection.connection_id} exists", connection_id=connection.connection_id
            )
        case ChangePricingRule():
            return _change_rule(command, connection.pricing_rule)
        case ChangeConflictPolicy():
            return _change_policy(command, connection.conflict_policy)
        case ChangeCategories():
            return _change_categories(command, connection.categories)
        case PauseConnection():
            return _pause(command, connection.paused)
        case ResumeConnection():
            return _resume(command, connection.paused)
        case _:
            assert_never(command)


def _opened(command: OpenConnection) -> events.ConnectionOpened:
    if not _ID.fullmatch(command.connection_id):
        raise InvalidConnection(f"{command.connection_id!r} cannot be a connection id", field="connection_id")
    if not _SHOP_ID.fullmatch(command.shop_id):
        raise InvalidConnection(f"{command.shop_id!r} cannot be a shop id", field="shop_id")
    if not command.label.isprintable() or not 1 <= len(command.label.strip()) <= 100:
        raise InvalidConnection("the label is empty, too long or not printable", field="label")
    if any(not name.isprintable() or not 1 <= len(name) <= 50 for name in command.warehouses):
        raise InvalidConnection("a warehouse has no usable name", field="warehouses")
    _check_categories(command.categories)
    rule = default_rule(command.platform) if command.pricing_rule is None else command.pricing_rule
    check_rule(rule)
    check_policy(command.conflict_policy)
    return events.ConnectionOpened(
        connection_id=command.connection_id,
        platform=command.platform,
        shop_id=command.shop_id,
        label=command.label,
        pricing_rule=rule,
        conflict_policy=command.conflict_policy,
        warehouses=command.warehouses,
        categories=command.categories,
    )


def _change_categories(command: ChangeCategories, old: tuple[tuple[str, str], ...]) -> Sequence[events.ConnectionEvent]:
    _check_categories(command.categories)
    return [] if command.categories == old else [events.CategoriesChanged(old=old, new=command.categories)]


def _pause(command: PauseConnection, paused: Paused | None) -> Sequence[events.ConnectionEvent]:
    """A pause that a program may end can become one that only a person can, not the other way round."""
    check_text("reason", command.reason, 500)
    if paused is not None and (paused.needs_person or not command.needs_person):
        return []
    return [events.ConnectionPaused(reason=command.reason, needs_person=command.needs_person)]


def _resume(command: ResumeConnection, paused: Paused | None) -> Sequence[events.ConnectionEvent]:
    check_text("reason", command.reason, 500)
    if paused is None:
        return []
    if paused.needs_person and not command.by_person:
        raise PersonNeeded(f"paused: {paused.reason}", reason=paused.reason)
    return [events.ConnectionResumed(reason=command.reason)]


def _check_categories(categories: Sequence[tuple[str, str]]) -> None:
    if len(dict(categories)) < len(categories) or any(not theirs.strip() for _, theirs in categories):
        raise InvalidConnection("a category is named twice, or without the platform's id", field="categories")


def changed_rule(command: ChangePricingRule, old: PricingRule) -> PricingRule:
    """The rule as the command makes it; the old one where nothing differs. Raises InvalidPricingRule."""
    same_version = replace(
        old,
        strategy=command.strategy,
        fees=_given(command.fees, old.fees),
        ending=_given(command.ending, old.ending),
    )
    check_rule(same_version)
    return old if same_version == old else replace(same_version, version=old.version + 1)


def _change_rule(command: ChangePricingRule, old: PricingRule) -> Sequence[events.ConnectionEvent]:
    new = changed_rule(command, old)
    return [] if new == old else [events.PricingRuleChanged(old=old, new=new)]


def _change_policy(command: ChangeConflictPolicy, old: ConflictPolicy) -> Sequence[events.ConnectionEvent]:
    same_version = replace(
        old,
        offer=_given(command.offer, old.offer),
        stock=_given(command.stock, old.stock),
        content=_given(command.content, old.content),
    )
    check_policy(same_version)
    if same_version == old:
        return []
    return [events.ConflictPolicyChanged(old=old, new=replace(same_version, version=old.version + 1))]


def check_policy(policy: ConflictPolicy) -> None:
    """Raise InvalidConflictPolicy naming the first thing that could never work."""
    if policy.version < 1 or not policy.policy_id.strip():
        raise InvalidConflictPolicy("a policy has an id, and versions count from 1", field="policy_id")
    for group, strategy in (("offer", policy.offer), ("stock", policy.stock), ("content", policy.content)):
        match strategy:
            case PlatformPriority(order=order):
                _check_order(group, order)
            case OrderedRules(rules=rules):
                _check_rules(group, rules=[(rule.name, rule.difference_at_most_percent) for rule in rules])
            case _:
                continue


def _check_order(group: str, order: Sequence[str]) -> None:
    known = {MASTER, *Platform}
    for name in order:
        if name not in known:
            raise InvalidConflictPolicy(f"{group}: {name!r} is neither master nor a platform", field=group)
    if not order or len(set(order)) < len(order):
        raise InvalidConflictPolicy(f"{group}: an order names each source once, and at least one", field=group)


def _check_rules(group: str, rules: Sequence[tuple[str, int | None]]) -> None:
    if len({name for name, _ in rules}) < len(rules) or any(not name.strip() for name, _ in rules):
        raise InvalidConflictPolicy(f"{group}: every rule needs a name of its own", field=group)
    if any(percent is not None and percent < 0 for _, percent in rules):
        raise InvalidConflictPolicy(f"{group}: a difference cannot be negative", field=group)


def _given(value: T | UnsetType, otherwise: T) -> T:
    return otherwise if isinstance(value, UnsetType) else value


CONNECTION: Final[Decider[ConnectionCommand, ConnectionState, events.ConnectionEvent]] = Decider(
    category="connection", initial=NotOpened(), decide=decide, evolve=evolve
)
