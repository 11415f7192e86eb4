"""A listing from its opening to pushes, echoes, drift, conflicts, holds and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.listing import commands, events
from domain.listing.commands import Choice, PostponedValue, PushedValue, RecordPush, RefusedValue
from domain.listing.decider import LISTING, AlreadyLinked, LinkWasCut, ListingExists, NoOverride, NoSuchListing
from domain.listing.diff import due, external_variants, needs_creation, superseded
from domain.listing.events import ExternalVariant, FieldGroup, Value
from domain.listing.fields import LISTED, InvalidValue
from domain.listing.observation import ECHO_GRACE, MAX_REASSERTIONS
from domain.listing.resolution import NoValueGiven, UnknownConflict
from domain.listing.state import Linked, Listing, ListingState
from domain.policies.conflict_policy import (
    DEFAULT_POLICY,
    ConflictPolicy,
    LatestWins,
    Manual,
    PlatformWinsAlways,
)
from domain.policies.retry import ErrorClass
from domain.values import Platform
from tests.support.scenario import Scenario, scenario

T0 = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
PRICE, OTHER, STOCK = "price:BTK", "price:BTK-XL", "stock:BTK"
TIMESTAMP = ConflictPolicy(policy_id="own", version=3, offer=LatestWins())
MANUAL = ConflictPolicy(policy_id="own", version=4, offer=Manual())
THEIRS = ConflictPolicy(policy_id="own", version=5, offer=PlatformWinsAlways())

Listings = Scenario[commands.ListingCommand, ListingState, events.ListingEvent]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


OPEN = commands.OpenListing(
    listing_id="listing-1", product_id="product-1", connection_id="SHP-ID-01", platform=Platform.SHOPEE
)
LINK = commands.LinkListing(
    external_id="9001", variants=(ExternalVariant("BTK", "77"),), created=True, reason="created"
)


def wish(values: Mapping[str, Value], seconds: float = 0, **more: object) -> commands.SetDesired:
    return commands.SetDesired(values=values, cause="product.base-price-changed", at=at(seconds), by="sari", **more)  # type: ignore[arg-type]  # optional fields of the command


def pushed(values: Mapping[str, Value], seconds: float, skipped: int = 0) -> RecordPush:
    rows = tuple(PushedValue(field=field, value=value) for field, value in values.items())
    return RecordPush(answered_at=at(seconds), confirmed=rows, skipped=skipped)


def seen(values: Mapping[str, Value], seconds: float, policy: ConflictPolicy = DEFAULT_POLICY) -> commands.Observe:
    return commands.Observe(values=values, observed_at=at(seconds), source="push", policy=policy, by="seller centre")


def listing(*steps: commands.ListingCommand) -> Listings:
    """Linked, and the price confirmed at 217,350 one second in; then the steps."""
    return scenario(LISTING).after(OPEN, wish({PRICE: 217_350}), LINK, pushed({PRICE: 217_350}, 1), *steps)


def state_of(told: Listings) -> Listing:
    assert isinstance(told.state, Listing)
    return told.state


def due_values(told: Listings, seconds: float = 100) -> dict[str, Value]:
    return {row.field: row.value for rows in due(told.state, at(seconds)).values() for row in rows}


def kinds(told: Listings) -> list[str]:
    return [type(event).__name__ for event in told.events]


def test_a_listing_is_opened_once() -> None:
    opened = scenario(LISTING).when(OPEN)
    opened.then(
        events.ListingOpened(
            listing_id="listing-1", product_id="product-1", connection_id="SHP-ID-01", platform=Platform.SHOPEE
        )
    )
    scenario(LISTING).after(OPEN).when(OPEN).nothing()
    other = commands.OpenListing(
        listing_id="listing-1", product_id="product-2", connection_id="SHP-ID-01", platform=Platform.SHOPEE
    )
    scenario(LISTING).after(OPEN).when(other).refused(ListingExists)


def test_nothing_can_be_asked_of_a_listing_that_was_never_opened() -> None:
    scenario(LISTING).when(wish({PRICE: 1})).refused(NoSuchListing)


def test_only_wishes_that_differ_are_told() -> None:
    told = listing().when(wish({PRICE: 224_250, "title": "Kemeja"}, 5, pricing_rule="r", pricing_rule_version=2))
    told.then(
        events.DesiredChanged(
            changes=(
                events.ChangedField(field=PRICE, old=217_350, new=224_250),
                events.ChangedField(field="title", old=None, new="Kemeja"),
            ),
            cause="product.base-price-changed",
            changed_at=at(5),
            changed_by="sari",
            pricing_rule="r",
            pricing_rule_version=2,
        )
    )
    listing().when(wish({PRICE: 217_350})).nothing()


def test_a_rule_is_named_only_where_a_price_changes() -> None:
    changed = listing().when(wish({PRICE: 217_350, "title": "x"}, pricing_rule="r", pricing_rule_version=2)).events[0]
    assert isinstance(changed, events.DesiredChanged)
    assert changed.pricing_rule is None


def test_what_is_not_sold_any_more_gets_stock_zero_and_no_price() -> None:
    told = listing(wish({PRICE: 217_350, STOCK: 4}), pushed({STOCK: 4}, 2)).when(wish({}, 3)).events[0]
    assert isinstance(told, events.DesiredChanged)
    assert {change.field: change.new for change in told.changes} == {PRICE: None, STOCK: 0}
    after = listing(wish({PRICE: 217_350, STOCK: 4}), pushed({STOCK: 4}, 2), wish({}, 3))
    assert due_values(after) == {STOCK: 0}
    after.when(wish({}, 4)).nothing()


def test_a_new_item_is_made_whole_and_then_only_differences_are_due() -> None:
    told = scenario(LISTING).after(OPEN, wish({PRICE: 100, STOCK: 3, "title": "x", "listed": True}))
    assert needs_creation(state_of(told))
    assert due_values(told) == {PRICE: 100, STOCK: 3, "title": "x", "listed": True}
    made = told.after(LINK, pushed({PRICE: 100, STOCK: 3, "title": "x", "listed": True}, 1))
    assert external_variants(state_of(made)) == {"BTK": "77"}
    assert due_values(made) == {}
    assert due_values(made.after(wish({PRICE: 100, STOCK: 2, "title": "x", "listed": True}, 5))) == {STOCK: 2}


def test_an_item_is_not_made_only_to_be_hidden() -> None:
    told = scenario(LISTING).after(OPEN, wish({PRICE: 100, "listed": False}))
    assert due_values(told) == {}


def test_a_new_item_waits_for_a_price_that_cannot_be_made() -> None:
    hold = commands.HeldValue(field=PRICE, code="price_unavailable", reason="too large")
    told = scenario(LISTING).after(OPEN, wish({"title": "x"}, holds=(hold,)))
    assert due_values(told) == {}
    assert due_values(told.after(wish({"title": "x", PRICE: 5}, 1))) == {"title": "x", PRICE: 5}


def test_superseded_values_vanish_and_are_counted() -> None:
    told = listing(wish({PRICE: 1}, 2), wish({PRICE: 2}, 3), wish({PRICE: 3}, 4))
    rows = due(told.state, at(9))
    assert due_values(told) == {PRICE: 3}
    assert superseded(rows) == 2
    assert rows[FieldGroup.OFFER][0].wanted_since == at(4)
    confirmed = told.when(pushed({PRICE: 3}, 6, skipped=2)).events[0]
    assert isinstance(confirmed, events.PushConfirmed)
    assert (confirmed.skipped, confirmed.latency_ms, confirmed.confirmed_at) == (2, 2_000, at(6))
    again = told.after(pushed({PRICE: 3}, 6), wish({PRICE: 4}, 7))
    assert superseded(due(again.state, at(9))) == 0


def test_a_value_desired_while_another_was_on_its_way_is_due_after_the_answer() -> None:
    told = listing(wish({PRICE: 1}, 2), wish({PRICE: 2}, 3), pushed({PRICE: 1}, 4))
    assert due_values(told) == {PRICE: 2}
    assert superseded(due(told.state, at(9))) == 0


def test_a_push_told_twice_is_recorded_once() -> None:
    answer = RecordPush(
        answered_at=at(5),
        confirmed=(PushedValue(field=PRICE, value=2),),
        refused=(RefusedValue(field="title", value="x", error_class=ErrorClass.VALID, code="too_long", message="no"),),
        held=(PostponedValue(field=STOCK, code="promotion", reason="locked", recheck_at=at(900)),),
    )
    told = listing(wish({PRICE: 2, "title": "x", STOCK: 3}, 2)).when(answer)
    assert kinds(told) == ["PushConfirmed", "PushRefused", "PushHeld"]
    listing(wish({PRICE: 2, "title": "x", STOCK: 3}, 2), answer).when(answer).nothing()


def test_our_own_push_coming_back_is_no_observation() -> None:
    told = listing(wish({PRICE: 224_250}, 3))
    told.when(seen({PRICE: 224_250}, 4)).nothing()  # before our answer was recorded
    after = told.after(pushed({PRICE: 224_250}, 4))
    after.when(seen({PRICE: 224_250}, 4)).nothing()
    after.when(seen({PRICE: 224_250}, 400)).nothing()


def test_an_echo_is_known_although_a_newer_value_is_wanted_already() -> None:
    listing(wish({PRICE: 1}, 2), wish({PRICE: 2}, 3)).when(seen({PRICE: 1}, 4)).nothing()


def test_a_late_echo_of_an_earlier_value_is_no_change_of_somebody_else() -> None:
    told = listing(wish({PRICE: 2}, 2), pushed({PRICE: 2}, 3))
    told.when(seen({PRICE: 217_350}, 3 + ECHO_GRACE.total_seconds() - 1)).nothing()
    assert kinds(told.when(seen({PRICE: 217_350}, 4 + ECHO_GRACE.total_seconds()))) == ["ShadowObserved", "DriftFound"]


def test_what_was_seen_before_our_push_was_confirmed_tells_nothing() -> None:
    listing(wish({PRICE: 2}, 2), pushed({PRICE: 2}, 10)).when(seen({PRICE: 3}, 9)).nothing()


def test_both_moved_is_one_conflict_and_the_master_is_pushed_again() -> None:
    told = listing(wish({PRICE: 224_250}, 3)).when(seen({PRICE: 210_000}, 5))
    shadow, conflict, resolved = told.events
    assert isinstance(shadow, events.ShadowObserved)
    assert shadow.changes == (events.ChangedField(field=PRICE, old=217_350, new=210_000),)
    assert isinstance(conflict, events.ConflictDetected)
    assert (conflict.ours, conflict.theirs, conflict.confirmed) == (224_250, 210_000, 217_350)
    assert (conflict.ours_at, conflict.theirs_at) == (at(3), at(5))
    assert (conflict.ours_by, conflict.theirs_by) == ("sari", "seller centre")
    assert isinstance(resolved, events.ConflictResolved)
    assert (resolved.conflict_id, resolved.outcome, resolved.value) == (conflict.conflict_id, "ours", 224_250)
    assert (resolved.strategy, resolved.policy, resolved.policy_version, resolved.by) == (
        "master_wins",
        "default",
        1,
        "policy",
    )
    after = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5))
    assert due_values(after) == {PRICE: 224_250}
    after.when(seen({PRICE: 210_000}, 5)).nothing()
    settled = after.after(pushed({PRICE: 224_250}, 6))
    assert due_values(settled) == {}
    settled.when(seen({PRICE: 224_250}, 6)).nothing()


def test_the_answer_to_a_push_does_not_hide_a_change_seen_after_it() -> None:
    told = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5), pushed({PRICE: 224_250}, 4))
    assert due_values(told) == {PRICE: 224_250}


def test_the_later_change_wins_as_an_override_and_the_master_stays() -> None:
    told = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, TIMESTAMP))
    field = state_of(told).field(PRICE)
    assert field.desired is not None
    assert (field.desired.value, field.override, field.target) == (224_250, 210_000, 210_000)
    assert due_values(told) == {}
    assert kinds(listing(wish({PRICE: 224_250}, 3)).when(seen({PRICE: 210_000}, 5, TIMESTAMP))) == [
        "ShadowObserved",
        "ConflictDetected",
        "ConflictResolved",
        "OverrideKept",
    ]


def test_an_override_follows_the_shop_until_it_is_dropped() -> None:
    told = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, TIMESTAMP), seen({PRICE: 209_000}, 70))
    assert state_of(told).field(PRICE).override == 209_000
    dropped = told.after(commands.DropOverride(field=PRICE, reason="ours again"))
    assert due_values(dropped) == {PRICE: 224_250}
    dropped.when(commands.DropOverride(field=PRICE, reason="ours again")).nothing()
    told.when(commands.DropOverride(field="nothing", reason="")).refused(NoOverride)


def test_only_theirs_moved_is_drift_by_policy() -> None:
    assert kinds(listing().when(seen({PRICE: 210_000}, 5))) == ["ShadowObserved", "DriftFound"]
    assert due_values(listing(seen({PRICE: 210_000}, 5))) == {PRICE: 217_350}
    kept = listing(seen({PRICE: 210_000}, 5, THEIRS))
    assert due_values(kept) == {}
    assert state_of(kept).field(PRICE).override == 210_000


def test_fewer_pieces_at_the_shop_are_its_sales_and_left_until_our_stock_moves() -> None:
    stocked = listing(wish({STOCK: 10}, 2), pushed({STOCK: 10}, 3))
    sold = stocked.when(seen({STOCK: 8}, 100))
    assert kinds(sold) == ["ShadowObserved", "DriftFound"]
    after = stocked.after(seen({STOCK: 8}, 100), seen({STOCK: 7}, 101))
    assert due_values(after, 102) == {}
    assert due_values(after.after(wish({STOCK: 12}, 103)), 104) == {STOCK: 12}
    assert due_values(after.after(wish({STOCK: 7}, 103)), 104) == {}
    assert due_values(after.after(seen({STOCK: 11}, 103)), 104) == {STOCK: 10}


@pytest.mark.parametrize("policy", [DEFAULT_POLICY, THEIRS, TIMESTAMP])
def test_what_we_do_not_sell_stays_off_sale_whatever_the_policy(policy: ConflictPolicy) -> None:
    withdrawn = listing(wish({LISTED: False}, 2), pushed({LISTED: False}, 3), seen({LISTED: True}, 100, policy))
    assert due_values(withdrawn, 101) == {LISTED: False}


def test_taken_off_sale_at_the_shop_it_stays_so_until_the_master_says_otherwise() -> None:
    taken_off = listing(wish({LISTED: True}, 2), pushed({LISTED: True}, 3), seen({LISTED: False}, 100, TIMESTAMP))
    assert due_values(taken_off, 101) == {}
    assert due_values(taken_off.after(wish({LISTED: False}, 102)), 103) == {}
    again = taken_off.after(wish({LISTED: False}, 102), wish({LISTED: True}, 104))
    assert due_values(again, 105) == {LISTED: True}


def test_what_is_not_sold_any_more_is_neither_kept_as_the_shop_has_it_nor_asked_about() -> None:
    pinned = ConflictPolicy(policy_id="own", version=6, offer=Manual(), stock=PlatformWinsAlways())
    told = listing(wish({PRICE: 217_350, STOCK: 5}, 2), pushed({STOCK: 5}, 3), seen({STOCK: 7, PRICE: 9}, 100, pinned))
    assert state_of(told).field(STOCK).override == 7
    assert len(state_of(told).open_conflicts) == 1
    gone = told.after(wish({}, 101))
    assert due_values(gone, 102) == {STOCK: 0}
    assert state_of(gone).open_conflicts == ()
    gone.when(wish({}, 103)).nothing()


def test_a_conflict_ends_when_we_come_to_want_what_the_shop_shows() -> None:
    waiting = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, MANUAL))
    agreed = waiting.when(wish({PRICE: 210_000}, 6))
    assert kinds(agreed) == ["DesiredChanged", "ConflictResolved"]
    assert state_of(waiting.after(wish({PRICE: 210_000}, 6))).open_conflicts == ()


@pytest.mark.parametrize("value", [-5, 0, 10**12, "abc", True, ("a",)])
def test_a_conflict_is_not_settled_with_a_price_that_is_none(value: Value) -> None:
    waiting = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, MANUAL))
    (conflict,) = state_of(waiting).open_conflicts
    command = commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=Choice.VALUE, value=value, by="budi")
    waiting.when(command).refused(InvalidValue)


def test_events_keep_how_a_price_came_about() -> None:
    quoted = events.PriceQuoted(
        field=PRICE, base=189_000, exact=Decimal("217350.00"), rounding="half_up", price=217_350
    )
    other = events.PriceQuoted(field=OTHER, base=1, exact=Decimal(1), rounding="half_up", price=1)
    told = scenario(LISTING).after(OPEN).when(wish({PRICE: 217_350}, quotes=(quoted, other)))
    (changed,) = told.events
    assert isinstance(changed, events.DesiredChanged)
    assert changed.quotes == (quoted,)


def test_a_person_is_asked_and_nothing_moves_until_then() -> None:
    waiting = listing(wish({PRICE: 224_250, STOCK: 5}, 3), seen({PRICE: 210_000}, 5, MANUAL))
    (conflict,) = state_of(waiting).open_conflicts
    assert conflict.policy_version == 4
    assert due_values(waiting) == {STOCK: 5}
    ours = waiting.after(commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=Choice.OURS, by="budi"))
    assert due_values(ours) == {PRICE: 224_250, STOCK: 5}
    theirs = waiting.after(commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=Choice.THEIRS, by="budi"))
    assert due_values(theirs) == {STOCK: 5}
    third = commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=Choice.VALUE, value=220_000, by="budi")
    assert due_values(waiting.after(third)) == {PRICE: 220_000, STOCK: 5}
    resolved = waiting.when(third).events[0]
    assert isinstance(resolved, events.ConflictResolved)
    assert (resolved.outcome, resolved.value, resolved.by, resolved.strategy) == ("value", 220_000, "budi", "person")
    waiting.after(third).when(third).refused(UnknownConflict)
    empty = commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=Choice.VALUE, by="budi")
    waiting.when(empty).refused(NoValueGiven)


def test_drift_that_a_person_decides_waits_in_the_same_queue() -> None:
    waiting = listing(seen({PRICE: 210_000}, 5, MANUAL))
    assert len(state_of(waiting).open_conflicts) == 1
    assert due_values(waiting) == {}


def test_an_open_conflict_goes_on_under_its_id() -> None:
    waiting = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, MANUAL), seen({PRICE: 200_000}, 6, MANUAL))
    (conflict,) = state_of(waiting).open_conflicts
    assert conflict.theirs == 200_000
    assert state_of(waiting).conflicts_seen == 1


@pytest.mark.parametrize("back_to", [224_250, 217_350])
def test_an_open_conflict_ends_when_the_shop_shows_our_value_again(back_to: int) -> None:
    waiting = listing(wish({PRICE: 224_250}, 3), seen({PRICE: 210_000}, 5, MANUAL), seen({PRICE: back_to}, 90, MANUAL))
    assert state_of(waiting).open_conflicts == ()
    assert due_values(waiting) == ({} if back_to == 224_250 else {PRICE: 224_250})


def test_each_conflict_has_an_id_of_its_own() -> None:
    both = listing(wish({PRICE: 2, OTHER: 20}, 2), pushed({PRICE: 2, OTHER: 20}, 3), wish({PRICE: 3, OTHER: 30}, 4))
    told = both.after(seen({PRICE: 9, OTHER: 90}, 5, MANUAL))
    ids = {conflict.conflict_id for conflict in state_of(told).open_conflicts}
    assert len(ids) == 2
    assert state_of(told).conflicts_seen == 2


def test_a_shop_that_cannot_show_ours_is_not_pushed_to_for_ever() -> None:
    told = listing()
    for round_ in range(MAX_REASSERTIONS):
        told = told.after(seen({PRICE: 210_000}, 100 * round_ + 100), pushed({PRICE: 217_350}, 100 * round_ + 110))
    assert state_of(told).open_conflicts == ()
    told = told.after(seen({PRICE: 210_000}, 5_000))
    assert len(state_of(told).open_conflicts) == 1
    assert due_values(told, 6_000) == {}


def test_a_found_item_is_adopted_and_only_what_differs_is_pushed() -> None:
    found = commands.LinkListing(external_id="9001", reason="same SKU")
    told = scenario(LISTING).after(OPEN, wish({PRICE: 100, STOCK: 5}), found)
    looked = told.when(seen({PRICE: 100, STOCK: 4}, 2))
    assert kinds(looked) == ["ShadowObserved"]
    assert due_values(told.after(seen({PRICE: 100, STOCK: 4}, 2))) == {STOCK: 5}


def test_a_field_we_never_wanted_is_only_seen() -> None:
    assert kinds(listing().when(seen({"title": "theirs"}, 5))) == ["ShadowObserved"]
    assert due_values(listing(seen({"title": "theirs"}, 5))) == {}


def test_a_refused_value_waits_until_something_of_its_group_changes() -> None:
    no = RefusedValue(field=PRICE, value=5, error_class=ErrorClass.VALID, code="ratio", message="too dear", attempts=1)
    told = listing(wish({PRICE: 5, OTHER: 6}, 2), RecordPush(answered_at=at(3), refused=(no,)))
    assert due_values(told) == {OTHER: 6}
    assert due_values(told.after(wish({PRICE: 5, OTHER: 7}, 4))) == {PRICE: 5, OTHER: 7}
    assert due_values(told.after(commands.ReleaseHold(reason="try again"))) == {PRICE: 5, OTHER: 6}


def test_a_refusal_of_a_value_no_longer_wanted_stops_nothing() -> None:
    no = RefusedValue(field=PRICE, value=5, error_class=ErrorClass.VALID, code="ratio", message="too dear")
    told = listing(wish({PRICE: 5}, 2), wish({PRICE: 6}, 3)).when(RecordPush(answered_at=at(4), refused=(no,)))
    told.nothing()


def test_a_held_value_is_looked_at_again_at_its_time_or_when_released() -> None:
    held = PostponedValue(field=PRICE, code="promotion", reason="locked", recheck_at=at(900))
    told = listing(wish({PRICE: 5}, 2), RecordPush(answered_at=at(3), held=(held,)))
    assert due_values(told, 899) == {}
    assert due_values(told, 900) == {PRICE: 5}
    released = told.after(commands.ReleaseHold(fields=(PRICE,), reason="promotion ended"))
    assert due_values(released, 10) == {PRICE: 5}
    released.when(commands.ReleaseHold(reason="again")).nothing()


def test_a_hold_of_ours_comes_and_goes_with_the_wish_and_a_person_can_let_it_through() -> None:
    hold = commands.HeldValue(field=PRICE, code="price_clamped", reason="cut to the maximum")
    told = listing(wish({PRICE: 5}, 2, holds=(hold,)))
    assert due_values(told) == {}
    told.when(wish({PRICE: 5}, 3, holds=(hold,))).nothing()
    assert kinds(told.when(wish({PRICE: 4}, 3))) == ["DesiredChanged", "HoldReleased"]
    released = told.after(commands.ReleaseHold(fields=(PRICE,), reason="checked"))
    released.when(wish({PRICE: 5}, 4, holds=(hold,))).nothing()
    assert due_values(released) == {PRICE: 5}
    assert due_values(released.after(wish({PRICE: 6}, 5, holds=(hold,)))) == {}


def test_holding_fields_by_hand_is_told_once() -> None:
    hold = commands.HoldFields(fields=(PRICE, OTHER), code="checking", reason="asked the owner")
    assert kinds(listing().when(hold)) == ["PushHeld"]
    listing(hold).when(hold).nothing()


def test_nothing_is_due_while_paused_and_one_push_follows() -> None:
    told = listing(commands.PauseListing(reason="stocktaking"), wish({PRICE: 1}, 2), wish({PRICE: 2}, 3))
    assert due_values(told) == {}
    told.when(commands.PauseListing(reason="again")).nothing()
    resumed = told.after(commands.ResumeListing(reason="done"))
    assert due_values(resumed) == {PRICE: 2}
    assert superseded(due(resumed.state, at(9))) == 1
    resumed.when(commands.ResumeListing(reason="done")).nothing()


def test_a_cut_tie_stays_cut_until_a_person_links_again() -> None:
    cut = listing(wish({PRICE: 5}, 2), commands.UnlinkListing(reason="wrong item"))
    assert due_values(cut) == {}
    cut.when(commands.UnlinkListing(reason="again")).nothing()
    cut.when(commands.LinkListing(external_id="9001")).refused(LinkWasCut, "wrong item")
    again = cut.after(commands.LinkListing(external_id="9002", again=True))
    assert due_values(again) == {PRICE: 5}


def test_a_linked_listing_takes_new_variants_but_no_other_item() -> None:
    more = commands.LinkListing(external_id="9001", variants=(*LINK.variants, ExternalVariant("BTK-XL", "78")))
    assert state_of(listing(more)).link == Linked("9001", more.variants)
    listing().when(LINK).nothing()
    listing().when(commands.LinkListing(external_id="1")).refused(AlreadyLinked)


def test_reviews_start_and_end_once() -> None:
    start = commands.StartReview(group=FieldGroup.CONTENT, reason="audit")
    end = commands.EndReview(group=FieldGroup.CONTENT, approved=False, reason="forbidden word")
    assert kinds(listing().when(start)) == ["ReviewStarted"]
    listing(start).when(start).nothing()
    assert kinds(listing(start).when(end)) == ["ReviewEnded"]
    listing(start, end).when(end).nothing()
