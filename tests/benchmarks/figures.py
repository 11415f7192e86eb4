"""What benchmarks measure: rounds of several contenders, taken in turns, beside a control of the same run."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Final

from msgspec import Struct

HIGHER: Final = "higher is better"
LOWER: Final = "lower is better"
OURS: Final = "SyncStore"


class Spread(Struct, frozen=True):
    """The median of some rounds, and the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(median(values), min(values), max(values))


class Comparison(Struct, kw_only=True):
    """One question, asked of each contender as often as of the control."""

    title: str
    unit: str
    control: str
    """The contender whose figures divide those of all others."""
    better: str = HIGHER
    rounds: dict[str, list[float]] = {}

    def add(self, contender: str, value: float) -> None:
        self.rounds.setdefault(contender, []).append(value)

    def add_round(self, values: Mapping[str, float]) -> None:
        for contender, value in values.items():
            self.add(contender, value)

    def spread(self, contender: str) -> Spread:
        return Spread.of(self.rounds[contender])

    def ratio(self, contender: str, to: str | None = None) -> Spread:
        """To the control, if nothing else is said; round by round, so that what disturbed both is in neither."""
        pairs = zip(self.rounds[contender], self.rounds[to or self.control], strict=True)
        return Spread.of([value / other for value, other in pairs])


class Part(Struct, kw_only=True):
    """What one benchmark found."""

    name: str
    title: str
    about: str
    """How it was measured and what the control is: what a reader must know to judge the figures."""
    comparisons: list[Comparison] = []
    facts: dict[str, float | int | str | bool] = {}
    """Beside the ratios: sizes, peaks, what else was seen."""
    notes: list[str] = []
    """What was left out, and why."""


def percentile(values: list[float], place: float) -> float:
    """Of at least one value; `place` is 0.5 for the median, 0.99 for the 99th."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * place), len(ordered) - 1)]
