"""What we want to reach, held against what was measured, beside what bounds it in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

from tests.benchmarks import projection_live, rebuild
from tests.benchmarks.append import BARE_SQL, PEER
from tests.benchmarks.append_bulk import COPY, COPY_ALL
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.held import HELD
from tests.benchmarks.peers import debezium
from tests.benchmarks.processors import AT_MOST
from tests.benchmarks.relay_drain import BARE_SEND, BATCHES
from tests.benchmarks.relay_latency import BESIDE_EVENTS, IN_USE

APPENDING: Final = "processor time of an append, 32 callers"

T = TypeVar("T")
Read = Callable[[Part], float]
"""Raises LookupError for what this run did not measure."""


class Goal(NamedTuple):
    part: str
    what: str
    read: Read
    wanted: float
    unit: str = ""
    most: bool = False
    """`wanted` is what it may be at most, not what it must be at least."""
    bound: Callable[[Part], str] = lambda _: ""

    def is_met_by(self, value: float) -> bool:
        return value <= self.wanted if self.most else value >= self.wanted


class Verdict(NamedTuple):
    goal: Goal
    value: float | None
    """None: not measured in this run."""
    bound: str = ""


def verdicts(parts: Sequence[Part]) -> Iterator[Verdict]:
    """Of all goals of these parts."""
    for part in parts:
        for goal in GOALS:
            if goal.part == part.name:
                yield Verdict(goal, _if_measured(goal.read, part), _if_measured(goal.bound, part) or "")


def _if_measured(read: Callable[[Part], T], part: Part) -> T | None:
    try:
        return read(part)
    except LookupError:
        return None


def _at(part: Part, title: str) -> Comparison:
    for comparison in part.comparisons:
        if comparison.title.startswith(title):
            return comparison
    raise LookupError(title)


def _value(title: str, of: str = OURS) -> Read:
    return lambda part: _at(part, title).spread(of).median


def _ratio(title: str, to: str, of: str = OURS) -> Read:
    return lambda part: _at(part, title).ratio(of, to).median


def _fact(name: str) -> Read:
    def read(part: Part) -> float:
        for known, value in part.facts.items():
            if known.startswith(name) and not isinstance(value, str):
                return float(value)
        raise LookupError(name)

    return read


def _seconds(events: int) -> Read:
    return lambda part: events / _value(f"{events:,} events")(part)


def _growth(title: str) -> Read:
    """Of the contender that comes last, such as the largest store, to the control."""

    def read(part: Part) -> float:
        comparison = _at(part, title)
        return comparison.ratio(list(comparison.rounds)[-1]).median

    return read


def _append_takes(part: Part) -> str:
    ours, theirs = _value(APPENDING)(part), _value(APPENDING, PEER)(part)
    return f"an append takes {ours:,.0f} µs of the processors, theirs {theirs:,.0f}: {theirs / ours:.3g} times as much"


def _copy_makes(part: Part) -> str:
    events, everything = _value("", COPY)(part), _value("", COPY_ALL)(part)
    return (
        f"COPY, which checks nothing, makes {events:,.0f}/s of the events alone, {everything:,.0f}/s of all four tables"
    )


def _sending_makes(rows: str) -> Callable[[Part], str]:
    def says(part: Part) -> str:
        return f"the same batches sent with no database at all: {_ratio(rows, debezium.NAME, BATCHES)(part):.3g} x"

    return says


def _processors_make(part: Part) -> str:
    full = _fact(AT_MOST)(part)
    copied, read = _value("", projection_live.STORING)(part), _value("", projection_live.READING)(part)
    return (
        f"all processors, full all the time, would make {full:,.0f}/s; COPY of the rows alone makes {copied:,.0f}/s, "
        f"reading the records alone {read:,.0f}/s"
    )


def _processors_fill(part: Part) -> str:
    full, read = _fact(AT_MOST)(part), _value("", rebuild.READING)(part)
    return (
        f"all processors, full all the time, would fill {full:,.0f}/s; "
        f"reading the events and throwing them away makes {read:,.0f}/s"
    )


def _sending_takes(part: Part) -> str:
    bare = _value("stored to acknowledged, p99, 2,000/s", BARE_SEND)(part)
    routed = _value("stored to consumed, p99, 2,000/s", debezium.NAME)(part)
    return f"bare send() alone takes {bare:.3g} ms, Debezium until it is consumed {routed:.3g} ms"


def _same_rows_take(place: str, rate: str) -> Callable[[Part], str]:
    def says(part: Part) -> str:
        ours, theirs = (_fact(f"{IN_USE}, {who} at {rate}")(part) for who in (OURS, debezium.NAME))
        ratio = _ratio(f"stored to consumed, {place}, {rate}", BESIDE_EVENTS)(part)
        return (
            f"with writers that store the event too, as ours do: {ratio:.3g} x; processors in use {ours:.0f} % of the "
            f"time, with Debezium {theirs:.0f} %: the fuller they are, the longer each step waits for its turn"
        )

    return says


def _pages_cost(part: Part) -> str:
    log, read = _at(part, "log"), "blocks of 8 KiB read for an event"
    small, *_, large = log.rounds
    blocks = {store: _fact(f"{store}: {read}")(part) for store in (small, large)}
    return (
        f"an event meets pages of its own: {blocks[large]:.3g} blocks read ({blocks[small]:.3g} in the smallest), "
        f"{log.spread(large).median:,.0f} bytes logged ({log.spread(small).median:,.0f}): PostgreSQL logs a page whole "
        "when it changes first after a checkpoint"
    )


def _relay(rows: str) -> tuple[Goal, ...]:
    return (
        Goal("relay", f"drain of {rows}, to bare send()", _ratio(rows, BARE_SEND), 1, "x"),
        Goal(
            "relay",
            f"drain of {rows}, to Debezium",
            _ratio(rows, debezium.NAME),
            3.5,
            "x",
            bound=_sending_makes(rows),
        ),
    )


def _latency(rate: str) -> tuple[Goal, ...]:
    return tuple(
        Goal(
            "latency",
            f"stored to consumed, {place}, at {rate}, to Debezium's",
            _ratio(f"stored to consumed, {place}, {rate}", debezium.NAME),
            1,
            "x",
            most=True,
            bound=_same_rows_take(place, rate),
        )
        for place in ("p50", "p99")
    )


def _held(by: str) -> tuple[Goal, ...]:
    def costs(part: Part) -> str:
        return (
            f"an event takes {_growth(f'processor time of PostgreSQL, {by} held')(part):.3g} x the processor time of "
            "PostgreSQL while it is open, in that of the callers"
        )

    loss, recovery = _fact(f"{by}: loss"), _fact(f"{by}: seconds to recover")
    return (
        Goal("held", f"loss while one transaction stays open ({by})", loss, 10, "%", most=True, bound=costs),
        Goal("held", f"recovery after it ({by})", recovery, 5, "s", most=True, bound=costs),
    )


GOALS: Final = (
    Goal("append", "32 callers, to bare SQL", _ratio("throughput, 32 callers", BARE_SQL), 2, "x"),
    Goal("append", f"32 callers, to {PEER}", _ratio("throughput, 32 callers", PEER), 15, "x", bound=_append_takes),
    Goal("bulk", "new products", _value(""), 200_000, "/s", bound=_copy_makes),
    *_relay("10,000 rows"),
    *_relay("100,000 rows"),
    *_relay("1,000,000 rows"),
    *_latency("200/s"),
    *_latency("2,000/s"),
    *_latency("5,000/s"),
    Goal(
        "latency",
        "stored to acknowledged, p99, at 2,000/s",
        _value("stored to acknowledged, p99, 2,000/s"),
        20,
        "ms",
        most=True,
        bound=_sending_takes,
    ),
    *(goal for by in HELD for goal in _held(by)),
    Goal("live", "live views", _value(""), 50_000, "/s", bound=_processors_make),
    Goal("rebuild", "filling a view", _value("", rebuild.FILLING), 300_000, "/s", bound=_processors_fill),
    Goal("rebuild", "ten million events", _seconds(10_000_000), 60, "s", most=True),
    Goal("rebuild", "the switch holds others up", _fact("milliseconds that the switch"), 50, "ms", most=True),
    *(
        Goal("sizes", f"{cost}, largest store to smallest", _growth(cost), 1.25, "x", most=True, bound=_pages_cost)
        for cost in ("append", "relay", "live projection")
    ),
)
"""`sizes`: flat is what stays within a quarter, which is what rounds of one store differ by here."""
