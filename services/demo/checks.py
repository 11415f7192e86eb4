"""Figures that must hold, collected while the demonstration runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles


@dataclass(slots=True)
class Checks:
    done: list[tuple[str, bool, str]] = field(default_factory=list)

    def equal(self, what: str, found: object, expected: object) -> None:
        right = found == expected
        self.done.append((what, right, str(found) if right else f"{found}, expected {expected}"))

    def true(self, what: str, right: bool, detail: str) -> None:
        self.done.append((what, right, detail))

    @property
    def failed(self) -> list[tuple[str, bool, str]]:
        return [one for one in self.done if not one[1]]


def spread(milliseconds: Sequence[float]) -> str:
    """Median and 95th percentile, for people."""
    if not milliseconds:
        return "nothing measured"
    if len(milliseconds) == 1:
        return f"{milliseconds[0]:.0f} ms"
    return f"p50 {median(milliseconds):.0f} ms, p95 {quantiles(milliseconds, n=20)[-1]:.0f} ms"
