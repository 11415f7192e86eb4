"""How each group of fields stands, told from facts alone."""

from __future__ import annotations

import pytest

from domain.listing import commands
from domain.listing.commands import PostponedValue, PushedValue, RecordPush, RefusedValue
from domain.listing.decider import LISTING
from domain.listing.events import FieldGroup, Value
from domain.listing.state import Listing
from domain.listing.status import LABELS, GroupStatus, Status, status_of, statuses
from domain.policies.conflict_policy import ConflictPolicy, Manual
from domain.policies.retry import ErrorClass
from tests.domain.listing.test_listing import LINK, OPEN, at, pushed, seen, wish
from tests.support.scenario import scenario

FIVE = {f"stock:BTK-{n}": n for n in range(1, 6)}
ALL: dict[str, Value] = {"price:BTK": 10, "title": "x", "listed": True, **FIVE, "stock:BTK-6": 6}
MANUAL = ConflictPolicy(policy_id="own", version=1, offer=Manual())


def told(*steps: commands.ListingCommand) -> Listing:
    state = scenario(LISTING).after(OPEN, *steps).state
    assert isinstance(state, Listing)
    return state


def synced(*steps: commands.ListingCommand) -> Listing:
    return told(wish(ALL), LINK, pushed(ALL, 1), *steps)


def of(listing: Listing, group: FieldGroup = FieldGroup.OFFER) -> Status:
    return status_of(listing, group).status


def reasons(status: GroupStatus) -> list[tuple[str | None, str]]:
    return [(reason.field, reason.code) for reason in status.reasons]


def test_nothing_wanted_is_not_listed() -> None:
    assert {status.status for status in statuses(told()).values()} == {Status.NOT_LISTED}


def test_wanted_and_not_there_is_pending_then_synced() -> None:
    assert of(told(wish(ALL))) is Status.PENDING
    assert {status.status for status in statuses(synced()).values()} == {Status.SYNCED}


def test_an_offer_changes_while_content_stays_untouched() -> None:
    listing = synced(wish({**ALL, "price:BTK": 11}, 2))
    assert of(listing) is Status.PENDING
    assert of(listing, FieldGroup.CONTENT) is Status.SYNCED


def test_five_variants_are_synced_and_one_has_an_error_with_its_reason() -> None:
    no = RefusedValue(field="stock:BTK-6", value=6, error_class=ErrorClass.VALID, code="reserved", message="5 reserved")
    rows = tuple(PushedValue(field=field, value=value) for field, value in FIVE.items())
    listing = told(wish(ALL), LINK, RecordPush(answered_at=at(1), confirmed=rows, refused=(no,)))
    status = status_of(listing, FieldGroup.STOCK)
    assert status.status is Status.PARTIAL
    assert reasons(status) == [("stock:BTK-6", "reserved")]


def test_a_price_locked_in_a_promotion_is_held_with_the_reason() -> None:
    held = PostponedValue(field="price:BTK", code="promotion", reason="Harga terkunci promo", recheck_at=at(900))
    status = status_of(
        synced(wish({**ALL, "price:BTK": 11}, 2), RecordPush(answered_at=at(3), held=(held,))), FieldGroup.OFFER
    )
    assert status.status is Status.HELD
    assert [(r.code, r.message) for r in status.reasons] == [("promotion", "Harga terkunci promo")]


def test_all_refused_is_an_error() -> None:
    no = RefusedValue(field="price:BTK", value=11, error_class=ErrorClass.VALID, code="ratio", message="too dear")
    assert of(synced(wish({**ALL, "price:BTK": 11}, 2), RecordPush(answered_at=at(3), refused=(no,)))) is Status.ERROR


def test_a_conflict_that_waits_for_a_person_is_held() -> None:
    listing = synced(wish({**ALL, "price:BTK": 11}, 2), seen({"price:BTK": 9}, 3, MANUAL))
    assert of(listing) is Status.HELD
    assert reasons(status_of(listing, FieldGroup.OFFER)) == [("price:BTK", "conflict")]


def test_a_kept_override_is_synced_and_says_so() -> None:
    listing = synced(wish({**ALL, "price:BTK": 11}, 2), seen({"price:BTK": 9}, 3, MANUAL))
    (conflict,) = listing.open_conflicts
    state = LISTING.fold(
        LISTING.decide(
            commands.ResolveConflict(conflict_id=conflict.conflict_id, outcome=commands.Choice.THEIRS, by="budi"),
            listing,
        ),
        listing,
    )
    assert isinstance(state, Listing)
    assert of(state) is Status.SYNCED
    assert reasons(status_of(state, FieldGroup.OFFER)) == [("price:BTK", "override_kept")]


def test_a_review_concerns_its_group() -> None:
    start = commands.StartReview(group=FieldGroup.CONTENT, reason="audit")
    no = commands.EndReview(group=FieldGroup.CONTENT, approved=False, reason="forbidden word")
    yes = commands.EndReview(group=FieldGroup.CONTENT, approved=True, reason="fine")
    assert of(synced(start), FieldGroup.CONTENT) is Status.IN_REVIEW
    assert of(synced(start), FieldGroup.OFFER) is Status.SYNCED
    assert of(synced(start, yes), FieldGroup.CONTENT) is Status.SYNCED
    rejected = synced(start, no)
    assert of(rejected, FieldGroup.CONTENT) is Status.ERROR
    assert reasons(status_of(rejected, FieldGroup.CONTENT)) == [(None, "review_rejected")]
    corrected = synced(start, no, wish({**ALL, "title": "y"}, 5), pushed({"title": "y"}, 6))
    assert of(corrected, FieldGroup.CONTENT) is Status.SYNCED


def test_paused_and_unlinked_are_disabled_with_the_reason() -> None:
    steps: list[tuple[commands.ListingCommand, str]] = [
        (commands.PauseListing(reason="stocktaking"), "paused"),
        (commands.UnlinkListing(reason="wrong item"), "unlinked"),
    ]
    for step, code in steps:
        status = status_of(synced(step), FieldGroup.OFFER)
        assert (status.status, reasons(status)) == (Status.DISABLED, [(None, code)])


def test_withdrawn_is_archived_once_the_shop_hides_it() -> None:
    hidden = {**ALL, "listed": False}
    assert of(synced(wish(hidden, 2)), FieldGroup.CONTENT) is Status.PENDING
    assert of(synced(wish(hidden, 2), pushed({"listed": False}, 3)), FieldGroup.OFFER) is Status.ARCHIVED
    assert of(told(wish(hidden))) is Status.NOT_LISTED


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_label_in_both_languages(status: Status) -> None:
    assert LABELS[status].english
    assert LABELS[status].indonesian
