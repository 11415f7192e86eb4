from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.listing.events import FieldGroup, Value
from domain.policies.conflicts import (
    DEFAULT_POLICY,
    MASTER,
    Adoption,
    Conflict,
    ConflictPolicy,
    Drift,
    Echo,
    FieldFacts,
    LatestWins,
    Manual,
    MasterWins,
    MasterWinsAlways,
    NeedsPerson,
    OrderedRules,
    PlatformPriority,
    PlatformWins,
    PlatformWinsAlways,
    Resolution,
    Rule,
    Stale,
    Strategy,
    Theirs,
    Unchanged,
    Verdict,
    Winner,
    group_of,
    judge,
    resolve,
)
from domain.values import Platform

TEN = datetime(2026, 1, 5, 3, 0, 0, tzinfo=UTC)
"""10:00:00 in Jakarta."""


def at(seconds: float) -> datetime:
    return TEN + timedelta(seconds=seconds)


PRICE_EDITED_TWICE = FieldFacts(
    field="price:BTK-PRG-CKL-L",
    group=FieldGroup.OFFER,
    platform=Platform.SHOPEE,
    desired=224_250,
    desired_at=at(3),
    desired_by="user:manager",
    confirmed=217_350,
    confirmed_at=at(-3600),
    shadow_before=217_350,
    observed=210_000,
    observed_at=at(5),
    observed_by="platform",
)
"""The manager sets 195,000 at 10:00:03; at 10:00:05 somebody sets 210,000 in the seller's centre."""


def policy(strategy: Strategy) -> ConflictPolicy:
    return ConflictPolicy(policy_id="p", version=2, offer=strategy, stock=strategy, content=strategy)


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Conflict),
        ({"observed": 217_350}, Unchanged),
        ({"observed": 224_250}, Adoption),
        ({"observed": 224_250, "in_flight": (224_250,)}, Echo),
        ({"observed": 220_000, "in_flight": (220_000, 224_250)}, Echo),
        ({"shadow_before": 200_000, "observed": 217_350}, Echo),
        ({"desired": 217_350}, Drift),
        ({"confirmed_at": at(6)}, Stale),
        ({"confirmed_at": at(6), "desired": 217_350}, Stale),
        ({"confirmed_at": None, "confirmed": None}, Adoption),
        ({"confirmed_at": None, "confirmed": None, "shadow_before": None}, Adoption),
        ({"confirmed_at": None, "confirmed": None, "shadow_before": None, "observed": None}, Unchanged),
    ],
)
def test_only_two_changes_of_one_field_are_a_conflict(changed: dict[str, Value], verdict: type[Verdict]) -> None:
    facts = msgspec.structs.replace(PRICE_EDITED_TWICE, **changed)
    assert type(judge(facts)) is verdict


def test_a_conflict_tells_both_values_and_who_set_them() -> None:
    judged = judge(PRICE_EDITED_TWICE)
    assert isinstance(judged, Conflict)
    for word in ("platform", "210000", "user:manager", "224250", "217350"):
        assert word in judged.reason


def test_an_absent_confirmation_is_not_a_confirmed_absence() -> None:
    never_confirmed = replace(PRICE_EDITED_TWICE, confirmed=None, confirmed_at=None, observed=None)
    assert isinstance(judge(never_confirmed), Adoption)
    confirmed_empty = replace(PRICE_EDITED_TWICE, confirmed=None, observed=None)
    assert isinstance(judge(confirmed_empty), Echo)


@pytest.mark.parametrize(
    ("strategy", "resolution"),
    [
        (MasterWinsAlways(), MasterWins),
        (PlatformWinsAlways(), PlatformWins),
        (LatestWins(), PlatformWins),
        (Manual(), NeedsPerson),
        (PlatformPriority((MASTER, "shopee")), MasterWins),
        (PlatformPriority(("shopee", MASTER)), PlatformWins),
        (PlatformPriority(("tiktok_shop", "shopee")), PlatformWins),
        (PlatformPriority((MASTER,)), MasterWins),
        (PlatformPriority(("tiktok_shop",)), NeedsPerson),
        (PlatformPriority(()), NeedsPerson),
        (PlatformPriority(("shopee", MASTER, "shopee")), PlatformWins),
    ],
)
def test_each_strategy_decides_the_price_that_was_edited_twice(
    strategy: Strategy, resolution: type[Resolution]
) -> None:
    resolved = resolve(PRICE_EDITED_TWICE, policy(strategy))
    assert type(resolved) is resolution
    assert resolved.reason


@pytest.mark.parametrize(
    ("theirs_at", "resolution", "words"),
    [(5, PlatformWins, "latest wins"), (2, MasterWins, "latest wins"), (3, MasterWins, "tie")],
)
def test_the_latest_change_wins_and_a_tie_goes_to_the_master(
    theirs_at: int, resolution: type[Resolution], words: str
) -> None:
    resolved = resolve(replace(PRICE_EDITED_TWICE, observed_at=at(theirs_at)), policy(LatestWins()))
    assert type(resolved) is resolution
    assert words in resolved.reason


def test_priority_counts_where_our_value_came_from() -> None:
    order = policy(PlatformPriority(("tiktok_shop", "shopee", MASTER)))
    assert isinstance(resolve(PRICE_EDITED_TWICE, order), PlatformWins)
    taken_over = replace(PRICE_EDITED_TWICE, desired_source="tiktok_shop")
    assert isinstance(resolve(taken_over, order), MasterWins)


def test_the_first_rule_that_applies_decides() -> None:
    rules = policy(
        OrderedRules(
            (
                Rule(name="stock is ours", winner=Winner.MASTER, groups=(FieldGroup.STOCK,)),
                Rule(name="lazada", winner=Winner.PLATFORM, platforms=(Platform.LAZADA,)),
                Rule(
                    name="small cuts stay",
                    winner=Winner.PLATFORM,
                    theirs=Theirs.LOWER,
                    difference_at_most_percent=7,
                ),
                Rule(name="prices by hand", winner=Winner.PERSON, groups=(FieldGroup.OFFER,)),
                Rule(name="else the latest", winner=Winner.LATEST),
            )
        )
    )
    assert resolve(PRICE_EDITED_TWICE, rules) == PlatformWins("rule 'small cuts stay'")
    too_low = replace(PRICE_EDITED_TWICE, observed=208_000)
    assert resolve(too_low, rules) == NeedsPerson("rule 'prices by hand'")
    raised = replace(PRICE_EDITED_TWICE, observed=225_000)
    assert resolve(raised, rules) == NeedsPerson("rule 'prices by hand'")
    at_lazada = replace(PRICE_EDITED_TWICE, platform=Platform.LAZADA)
    assert resolve(at_lazada, rules) == PlatformWins("rule 'lazada'")
    stock = replace(PRICE_EDITED_TWICE, group=FieldGroup.STOCK, desired=3, observed=4)
    assert resolve(stock, rules) == MasterWins("rule 'stock is ours'")
    title = replace(PRICE_EDITED_TWICE, group=FieldGroup.CONTENT, desired="Kemeja", observed="Baju")
    resolved = resolve(title, rules)
    assert isinstance(resolved, PlatformWins)
    assert resolved.reason.startswith("rule 'else the latest': latest wins")


@pytest.mark.parametrize(
    ("rule", "applies"),
    [
        (Rule(name="r", winner=Winner.MASTER, observed_by=("user:siti",)), False),
        (Rule(name="r", winner=Winner.MASTER, observed_by=("platform",)), True),
        (Rule(name="r", winner=Winner.MASTER, theirs=Theirs.HIGHER), False),
        (Rule(name="r", winner=Winner.MASTER, theirs=Theirs.LOWER), True),
        (Rule(name="r", winner=Winner.MASTER, difference_at_most_percent=6), False),
        (Rule(name="r", winner=Winner.MASTER), True),
    ],
)
def test_all_conditions_of_a_rule_must_hold_and_none_leaves_it_to_a_person(rule: Rule, applies: bool) -> None:
    resolved = resolve(PRICE_EDITED_TWICE, policy(OrderedRules((rule,))))
    assert type(resolved) is (MasterWins if applies else NeedsPerson)


def test_by_default_the_master_keeps_prices_and_stock_and_the_latest_text_stands() -> None:
    assert isinstance(resolve(PRICE_EDITED_TWICE, DEFAULT_POLICY), MasterWins)
    assert isinstance(resolve(replace(PRICE_EDITED_TWICE, group=FieldGroup.STOCK), DEFAULT_POLICY), MasterWins)
    assert isinstance(resolve(replace(PRICE_EDITED_TWICE, group=FieldGroup.CONTENT), DEFAULT_POLICY), PlatformWins)


@pytest.mark.parametrize(
    ("field", "group"),
    [
        ("price:BTK-PRG", FieldGroup.OFFER),
        ("stock:BTK:PRG", FieldGroup.STOCK),
        ("title", FieldGroup.CONTENT),
        ("listed", FieldGroup.CONTENT),
    ],
)
def test_a_fields_name_tells_its_group(field: str, group: FieldGroup) -> None:
    assert group_of(field) is group


@pytest.mark.parametrize(
    ("strategy", "stored"),
    [
        (MasterWinsAlways(), b'{"type":"master_wins"}'),
        (PlatformWinsAlways(), b'{"type":"platform_wins"}'),
        (LatestWins(), b'{"type":"timestamp"}'),
        (Manual(), b'{"type":"manual"}'),
        (PlatformPriority((MASTER, "shopee")), b'{"type":"platform_priority","order":["master","shopee"]}'),
        (
            OrderedRules((Rule(name="r", winner=Winner.LATEST, theirs=Theirs.LOWER),)),
            (
                b'{"type":"ordered_rules","rules":[{"name":"r","winner":"latest","groups":[],"platforms":[],'
                b'"observed_by":[],"theirs":"lower","difference_at_most_percent":null}]}'
            ),
        ),
    ],
)
def test_stored_policies_stay_readable_and_are_written_alike(strategy: Strategy, stored: bytes) -> None:
    whole = b'{"policy_id":"p","version":2,"offer":%b,"stock":%b,"content":%b}' % (stored, stored, stored)
    assert msgspec.json.decode(whole, type=ConflictPolicy) == policy(strategy)
    assert msgspec.json.encode(policy(strategy)) == whole


values: st.SearchStrategy[Value] = (
    st.none() | st.integers(0, 3) | st.sampled_from(["", "a"]) | st.tuples(st.sampled_from(["u", "v"]))
)
instants = st.integers(0, 5).map(at)
facts_of_all_kinds = st.builds(
    FieldFacts,
    field=st.just("price:A"),
    group=st.sampled_from(FieldGroup),
    platform=st.sampled_from(Platform),
    desired=values,
    desired_at=instants,
    desired_by=st.just("user:a"),
    confirmed=values,
    confirmed_at=st.none() | instants,
    shadow_before=values,
    observed=values,
    observed_at=instants,
    observed_by=st.sampled_from(["platform", "user:b"]),
    in_flight=st.lists(values, max_size=2).map(tuple),
    desired_source=st.sampled_from([MASTER, *Platform]),
)
conditions = st.builds(
    Rule,
    name=st.just("r"),
    winner=st.sampled_from(Winner),
    groups=st.lists(st.sampled_from(FieldGroup), max_size=1).map(tuple),
    platforms=st.lists(st.sampled_from(Platform), max_size=2).map(tuple),
    theirs=st.none() | st.sampled_from(Theirs),
    difference_at_most_percent=st.none() | st.integers(0, 100),
)
plain: list[Strategy] = [MasterWinsAlways(), PlatformWinsAlways(), LatestWins(), Manual()]
any_strategy: st.SearchStrategy[Strategy] = (
    st.sampled_from(plain)
    | st.lists(st.sampled_from([MASTER, *Platform]), max_size=6).map(lambda order: PlatformPriority(tuple(order)))
    | st.lists(conditions, max_size=3).map(lambda rules: OrderedRules(tuple(rules)))
)


@given(facts_of_all_kinds)
def test_every_observation_has_a_verdict_and_conflicts_keep_their_definition(facts: FieldFacts) -> None:
    verdict = judge(facts)
    if isinstance(verdict, Conflict | Drift):
        assert facts.observed not in (facts.shadow_before, facts.confirmed, facts.desired, *facts.in_flight)
        assert facts.confirmed_at is not None
        assert facts.observed_at >= facts.confirmed_at
        assert (facts.desired == facts.confirmed) is isinstance(verdict, Drift)


@given(facts_of_all_kinds, any_strategy)
def test_every_disagreement_is_resolved_with_a_reason(facts: FieldFacts, strategy: Strategy) -> None:
    resolved = resolve(facts, policy(strategy))
    assert isinstance(resolved, MasterWins | PlatformWins | NeedsPerson)
    assert resolved.reason
    if isinstance(strategy, Manual):
        assert isinstance(resolved, NeedsPerson)
