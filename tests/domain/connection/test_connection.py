"""A connection: opened once, rules and policies in versions, pauses that only some may end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.connection import events
from domain.connection.commands import (
    ChangeConflictPolicy,
    ChangePricingRule,
    ConnectionCommand,
    OpenConnection,
    PauseConnection,
    ResumeConnection,
)
from domain.connection.decider import (
    CONNECTION,
    ConnectionExists,
    InvalidConflictPolicy,
    InvalidConnection,
    NoSuchConnection,
    PersonNeeded,
    claims_of,
)
from domain.connection.state import Connection, ConnectionState, Paused
from domain.messages import Claim
from domain.policies.conflict_policy import (
    DEFAULT_POLICY,
    ConflictPolicy,
    Manual,
    OrderedRules,
    PlatformPriority,
    Rule,
    Strategy,
    Winner,
)
from domain.policies.pricing import FeeStack, InvalidPricingRule, Markup, PricingRule, default_rule
from domain.values import Platform
from tests.support.scenario import Scenario, scenario

OPEN = OpenConnection(connection_id="SHP-ID-01", platform=Platform.SHOPEE, shop_id="77", label="Toko Nusantara")


def shop(*commands: ConnectionCommand) -> Scenario[ConnectionCommand, ConnectionState, events.ConnectionEvent]:
    return scenario(CONNECTION).after(OPEN, *commands)


def state(*commands: ConnectionCommand) -> Connection:
    opened = shop(*commands).state
    assert isinstance(opened, Connection)
    return opened


def test_a_shop_is_opened_with_the_rule_of_its_platform() -> None:
    scenario(CONNECTION).when(OPEN).then(
        events.ConnectionOpened(
            connection_id="SHP-ID-01",
            platform=Platform.SHOPEE,
            shop_id="77",
            label="Toko Nusantara",
            pricing_rule=default_rule(Platform.SHOPEE),
            conflict_policy=DEFAULT_POLICY,
        )
    )
    shop().when(OPEN).nothing()
    other = OpenConnection(connection_id="SHP-ID-01", platform=Platform.SHOPEE, shop_id="78", label="Lain")
    shop().when(other).refused(ConnectionExists)


def test_nothing_can_be_asked_of_a_connection_that_is_not_there() -> None:
    scenario(CONNECTION).when(PauseConnection(reason="x")).refused(NoSuchConnection)


@pytest.mark.parametrize(
    "fields",
    [
        {"connection_id": ""},
        {"connection_id": "a b"},
        {"connection_id": "a.b"},  # a dot parts it from the product in a listing's id
        {"connection_id": "x" * 65},
        {"shop_id": ""},
        {"shop_id": "7 7"},
        {"label": " "},
        {"label": "x" * 101},
        {"warehouses": ("",)},
        {"categories": (("Fashion", "1"), ("Fashion", "2"))},
        {"categories": (("Fashion", ""),)},
    ],
)
def test_ids_and_labels_have_a_form(fields: dict[str, object]) -> None:
    given = {"connection_id": "A", "platform": Platform.SHOPEE, "shop_id": "77", "label": "Toko", **fields}
    refused = scenario(CONNECTION).when(OpenConnection(**given)).refused(InvalidConnection)  # type: ignore[arg-type]  # fields by name
    assert refused.facts["field"] in fields


def test_a_changed_rule_takes_the_next_version() -> None:
    change = ChangePricingRule(strategy=FeeStack())
    told = shop().when(change).events[0]
    assert isinstance(told, events.PricingRuleChanged)
    assert (told.old.version, told.new.version, told.new.rule_id) == (1, 2, told.old.rule_id)
    assert told.new.fees == told.old.fees
    shop(change).when(change).nothing()
    assert state(change, ChangePricingRule(strategy=FeeStack(), ending=900)).pricing_rule.version == 3


def test_a_rule_that_cannot_be_calculated_with_is_refused() -> None:
    shop().when(ChangePricingRule(strategy=Markup(factor=Decimal("NaN")))).refused(InvalidPricingRule)
    shop().when(ChangePricingRule(strategy=FeeStack(), fees=None)).refused(InvalidPricingRule, "fees")
    bad = PricingRule(rule_id="r", version=0, strategy=Markup(factor=Decimal(1)))
    with_bad = OpenConnection(connection_id="A", platform=Platform.SHOPEE, shop_id="1", label="x", pricing_rule=bad)
    scenario(CONNECTION).when(with_bad).refused(InvalidPricingRule)


def test_a_changed_policy_takes_the_next_version_and_keeps_what_was_not_named() -> None:
    change = ChangeConflictPolicy(offer=Manual())
    policy = state(change).conflict_policy
    assert policy == ConflictPolicy(policy_id="default", version=2, offer=Manual())
    shop(change).when(change).nothing()


@pytest.mark.parametrize(
    "strategy",
    [
        PlatformPriority(order=()),
        PlatformPriority(order=("master", "master")),
        PlatformPriority(order=("ebay",)),
        OrderedRules(rules=(Rule(name="", winner=Winner.MASTER),)),
        OrderedRules(rules=(Rule(name="a", winner=Winner.MASTER), Rule(name="a", winner=Winner.PERSON))),
        OrderedRules(rules=(Rule(name="a", winner=Winner.MASTER, difference_at_most_percent=-1),)),
    ],
)
def test_a_policy_that_could_never_work_is_refused(strategy: Strategy) -> None:
    refused = shop().when(ChangeConflictPolicy(content=strategy)).refused(InvalidConflictPolicy)
    assert refused.facts["field"] == "content"


def test_a_policy_has_an_id() -> None:
    given = OpenConnection(
        connection_id="A",
        platform=Platform.SHOPEE,
        shop_id="1",
        label="x",
        conflict_policy=ConflictPolicy(policy_id="", version=1),
    )
    scenario(CONNECTION).when(given).refused(InvalidConflictPolicy)


def test_pauses_begin_and_end_once() -> None:
    shop().when(PauseConnection(reason="holiday")).then(events.ConnectionPaused(reason="holiday", needs_person=False))
    paused = shop(PauseConnection(reason="holiday"))
    paused.when(PauseConnection(reason="again")).nothing()
    paused.when(ResumeConnection(reason="back")).then(events.ConnectionResumed(reason="back"))
    shop().when(ResumeConnection(reason="back")).nothing()


def test_a_pause_for_a_person_is_ended_by_a_person() -> None:
    lost = PauseConnection(reason="authorisation lost", needs_person=True)
    paused = shop(PauseConnection(reason="quota"), lost)
    assert state(PauseConnection(reason="quota"), lost).paused == Paused("authorisation lost", needs_person=True)
    paused.when(PauseConnection(reason="quota")).nothing()
    paused.when(ResumeConnection(reason="quota is back")).refused(PersonNeeded, "authorisation lost")
    paused.when(ResumeConnection(reason="authorised", by_person=True)).then(
        events.ConnectionResumed(reason="authorised")
    )


def test_a_shop_is_claimed_by_its_connection() -> None:
    assert claims_of(CONNECTION.initial) == frozenset()
    assert claims_of(state()) == {Claim("shop", "shopee:77")}
