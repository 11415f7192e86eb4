"""Laws of the listing, over wishes, observations and pushes in any order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.events import decode, encode
from domain.listing import commands, events
from domain.listing.commands import ListingCommand, PostponedValue, PushedValue, RecordPush, RefusedValue
from domain.listing.decider import LISTING
from domain.listing.diff import due, superseded
from domain.listing.state import Linked, Listing, ListingState
from domain.listing.status import Status, statuses
from domain.policies.conflict_policy import (
    DEFAULT_POLICY,
    ConflictPolicy,
    LatestWins,
    Manual,
    PlatformWinsAlways,
)
from domain.policies.retry import ErrorClass
from tests.domain.listing.test_listing import LINK, OPEN, at, seen, wish

FIELDS = st.sampled_from(["price:A", "price:B", "stock:A"])
FIGURES = st.integers(1, 4)
VALUES = st.dictionaries(FIELDS, FIGURES, max_size=3)
TIMES = st.integers(0, 300)
POLICIES = st.sampled_from(
    [
        DEFAULT_POLICY,
        ConflictPolicy(policy_id="p", version=1, offer=LatestWins(), stock=PlatformWinsAlways()),
        ConflictPolicy(policy_id="p", version=2, offer=Manual(), stock=Manual()),
    ]
)


def push(fates: dict[str, tuple[str, int]], time: int) -> RecordPush:
    """Every field has one fate."""
    rows = [(field, fate, value) for field, (fate, value) in fates.items()]
    return RecordPush(
        answered_at=at(time),
        confirmed=tuple(PushedValue(field=field, value=value) for field, fate, value in rows if fate == "taken"),
        refused=tuple(
            RefusedValue(field=field, value=value, error_class=ErrorClass.VALID, code="no", message="no")
            for field, fate, value in rows
            if fate == "refused"
        ),
        held=tuple(
            PostponedValue(field=field, code="later", reason="later", recheck_at=at(500))
            for field, fate, _ in rows
            if fate == "held"
        ),
    )


FATES = st.tuples(st.sampled_from(["taken", "refused", "held"]), FIGURES)
PUSHES = st.builds(push, st.dictionaries(FIELDS, FATES, max_size=3), TIMES)
COMMANDS: st.SearchStrategy[ListingCommand] = st.one_of(
    st.builds(wish, VALUES, TIMES),
    st.builds(seen, VALUES, TIMES, POLICIES),
    PUSHES,
    st.just(LINK),
    st.just(commands.UnlinkListing(reason="x")),
    st.just(commands.LinkListing(external_id="9002", again=True)),
    st.just(commands.PauseListing(reason="x")),
    st.just(commands.ResumeListing(reason="x")),
    st.just(commands.ReleaseHold(reason="x")),
    st.builds(commands.DropOverride, field=FIELDS, reason=st.just("x")),
)


def live(asked: list[ListingCommand]) -> tuple[list[events.ListingEvent], Listing]:
    told: list[events.ListingEvent] = []
    state: ListingState = LISTING.initial
    for command in [OPEN, *asked]:
        try:
            led_to = LISTING.decide(command, state)
        except Refusal:
            continue
        told += led_to
        state = LISTING.fold(led_to, state)
    assert isinstance(state, Listing)
    return told, state


@given(st.lists(COMMANDS, max_size=15))
def test_replayed_from_stored_bytes_a_listing_is_what_it_was(asked: list[ListingCommand]) -> None:
    told, state = live(asked)
    replayed = [decode(*encode(event)) for event in told]
    assert replayed == told
    assert LISTING.fold(replayed) == state  # type: ignore[arg-type]  # what was encoded are listing events


@given(st.lists(COMMANDS, max_size=12), COMMANDS)
def test_what_is_told_twice_changes_nothing_the_second_time(
    asked: list[ListingCommand], command: ListingCommand
) -> None:
    _, state = live(asked)
    try:
        after = LISTING.fold(LISTING.decide(command, state), state)
    except Refusal:
        return
    assert list(LISTING.decide(command, after)) == []


@given(st.lists(COMMANDS, max_size=15))
def test_pushing_what_is_due_until_nothing_is_leaves_the_shop_as_wanted(asked: list[ListingCommand]) -> None:
    _, state = live([*asked, commands.ResumeListing(reason="x"), commands.ReleaseHold(reason="x")])
    if not isinstance(state.link, Linked):
        return
    rows = [row for group in due(state, at(1_000)).values() for row in group]
    answer = RecordPush(
        answered_at=at(1_000),
        confirmed=tuple(PushedValue(field=row.field, value=row.value) for row in rows),
        skipped=superseded(due(state, at(1_000))),
    )
    after = LISTING.fold(LISTING.decide(answer, state), state)
    assert isinstance(after, Listing)
    assert due(after, at(1_000)) == {}
    for field in after.fields.values():
        assert field.agrees or field.conflict is not None


@given(st.lists(COMMANDS, max_size=15), POLICIES)
def test_an_echo_of_what_was_just_pushed_is_never_told(asked: list[ListingCommand], policy: ConflictPolicy) -> None:
    _, state = live([*asked, LINK, commands.ResumeListing(reason="x")])
    rows = [row for group in due(state, at(1_000)).values() for row in group]
    pushed = tuple(PushedValue(field=row.field, value=row.value) for row in rows)
    after = LISTING.fold(LISTING.decide(RecordPush(answered_at=at(1_000), confirmed=pushed), state), state)
    echo = {row.field: row.value for row in rows}
    for seconds in (1_000, 1_001, 5_000):
        assert list(LISTING.decide(seen(echo, seconds, policy), after)) == []


@given(st.lists(COMMANDS, max_size=15))
def test_every_group_has_a_status_and_trouble_has_a_reason(asked: list[ListingCommand]) -> None:
    _, state = live(asked)
    for status in statuses(state).values():
        if status.status in {Status.ERROR, Status.HELD, Status.PARTIAL, Status.DISABLED, Status.IN_REVIEW}:
            assert status.reasons
