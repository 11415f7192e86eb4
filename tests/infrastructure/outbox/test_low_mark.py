"""The mark never passes a position that may still appear."""

from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.outbox.low_mark import LowMark


def test_with_no_append_open_all_that_was_read_lies_behind() -> None:
    mark = LowMark()
    mark.look(100, {})
    mark.read(None)
    assert mark.position == 100


def test_a_read_that_was_cut_off_ends_where_it_was_cut() -> None:
    mark = LowMark()
    mark.look(100, {})
    mark.read(40)
    assert mark.position == 40


def test_the_mark_waits_for_appenders_that_cannot_be_watched() -> None:
    mark = LowMark()
    mark.look(100, {"3/7": None})
    mark.read(None)
    assert mark.position == 0
    mark.look(200, {"3/7": None, "4/1": "705"})
    mark.read(None)
    assert mark.position == 0
    mark.look(300, {"4/1": "705"})
    mark.read(None)
    assert mark.position == 100


def test_an_appender_that_takes_long_is_passed_and_come_back_for_when_it_has_ended() -> None:
    mark = LowMark()
    mark.look(100, {})
    mark.look(200, {"3/7": "704"})
    mark.look(300, {"3/7": "704", "4/1": "705"})
    mark.read(None)
    assert (mark.position, mark.passed) == (200, {"704": 100})
    mark.look(400, {"3/7": "704"})
    mark.read(None)
    assert (mark.position, mark.passed) == (400, {"704": 100})
    mark.look(500, {})
    assert (mark.position, mark.passed) == (100, {})
    mark.read(None)
    assert mark.position == 500


# Appenders take a lock, draw positions in order, commit whenever they like and let go of the lock later; the reader
# looks, then reads, in between.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["lock", "draw", "write", "commit", "unlock", "look", "read", "read some"]), st.integers(0, 5)
    ),
    min_size=30,
    max_size=80,
)


class World:
    """What the reader meets."""

    def __init__(self) -> None:
        self.given_out = 0
        self.locked: set[int] = set()
        self.drawn: dict[int, list[int]] = {}
        """Of appenders that have not committed."""
        self.written: set[int] = set()
        """Appenders that have a transaction id."""
        self.ended: set[int] = set()
        self.visible: set[int] = set()
        self._begun = 0

    def lock(self) -> None:
        self._begun += 1
        self.locked.add(self._begun)

    def draw(self, number: int) -> None:
        appending = sorted(self.locked - self.ended)
        if appending:
            self.given_out += 1
            self.drawn.setdefault(appending[number % len(appending)], []).append(self.given_out)

    def write(self) -> None:
        self.written |= self.drawn.keys()

    def commit(self, number: int) -> None:
        if self.drawn:
            ended = sorted(self.drawn)[number % len(self.drawn)]
            self.ended.add(ended)
            self.visible.update(self.drawn.pop(ended))

    def unlock(self) -> None:
        self.locked -= self.ended

    def appenders(self) -> dict[str, str | None]:
        return {f"3/{one}": str(700 + one) if one in self.written - self.ended else None for one in self.locked}

    def sees(self, xid: str) -> bool:
        return int(xid) - 700 not in self.drawn


@settings(max_examples=500)
@given(STEPS)
def test_a_read_sees_all_there_is_up_to_where_it_ends(steps: list[tuple[str, int]]) -> None:
    world, mark = World(), LowMark()
    seen: set[int] = set()

    def read(limit: int) -> None:
        low = min((mark.position, *(floor for xid, floor in mark.passed.items() if world.sees(xid))))
        found = sorted(position for position in world.visible if position > low and position not in seen)[:limit]
        seen.update(found)
        up_to = found[-1] if len(found) == limit else None
        mark.read(up_to)
        assert seen >= {position for position in world.visible if up_to is None or position <= up_to}

    for step, number in steps:
        match step:
            case "lock":
                world.lock()
            case "draw":
                world.draw(number)
            case "write":
                world.write()
            case "commit":
                world.commit(number)
            case "unlock":
                world.unlock()
            case "look":
                mark.look(world.given_out, world.appenders())
            case "read" | "read some":
                read(2 if step == "read some" else 1_000)
