"""The mark never passes a position that may still appear."""

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.outbox.low_mark import LowMark


def test_with_no_append_open_all_that_was_read_lies_behind() -> None:
    mark = LowMark()
    mark.look(100, [])
    mark.read(None)
    assert mark.position == 100


def test_a_read_that_was_cut_off_ends_where_it_was_cut() -> None:
    mark = LowMark()
    mark.look(100, [])
    mark.read(40)
    assert mark.position == 40


def test_the_mark_waits_for_those_who_were_appending() -> None:
    mark = LowMark()
    mark.look(100, ["3/7"])
    mark.read(None)
    assert mark.position == 0
    mark.look(200, ["3/7", "4/1"])
    mark.read(None)
    assert mark.position == 0
    mark.look(300, ["4/1"])
    mark.read(None)
    assert mark.position == 100


# Appenders draw positions in order and commit whenever they like; the reader looks, then reads, in between.
STEPS = st.lists(st.tuples(st.sampled_from(["draw", "commit", "look", "read", "read some"]), st.integers(0, 5)))


@given(STEPS)
def test_no_event_appears_behind_the_mark(steps: list[tuple[str, int]]) -> None:
    mark, given_out = LowMark(), 0
    drawn: dict[str, list[int]] = {}
    visible: set[int] = set()
    seen: set[int] = set()
    for step, number in steps:
        match step:
            case "draw":
                given_out += 1
                drawn.setdefault(f"tx-{number}-{sum(len(held) == 0 for held in drawn.values())}", []).append(given_out)
            case "commit" if drawn:
                visible.update(drawn.pop(sorted(drawn)[number % len(drawn)]))
            case "look":
                mark.look(given_out, list(drawn))
            case "read" | "read some":
                found = sorted(position for position in visible if position > mark.position)
                limit = 2 if step == "read some" else len(found) + 1
                seen.update(found[:limit])
                mark.read(found[limit - 1] if len(found) >= limit else None)
    while drawn:
        visible.update(drawn.popitem()[1])
    seen.update(position for position in visible if position > mark.position)
    assert seen == set(range(1, given_out + 1))
