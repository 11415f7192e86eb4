"""What a verification found: for each check what was compared, how much of it, and what does not hold."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

SHOWN: Final = 10
"""Violations of a kind that are named; the others are counted."""


class Kind(StrEnum):
    """Each way in which something can be wrong."""

    GAP = "gap"  # a stream of the store does not count 1, 2, 3 ... up to the version it says
    UNORDERED = "unordered"  # a later version of a stream has a lower position
    TWIN = "twin"  # two events of the store have one id
    DONE_TWICE = "done_twice"  # two idempotency keys were answered with the same events
    UNKEPT = "unkept"  # an idempotency key was answered with events that are not there
    ORPHAN = "orphan"  # the outbox holds what the store does not
    LOST = "lost"  # neither in the outbox nor in its topic
    PHANTOM = "phantom"  # in a topic, not in the store
    REORDERED = "reordered"  # first seen behind a later version of its stream
    ALTERED = "altered"  # a record that says something else than its event
    SCATTERED = "scattered"  # in a partition where its key does not live
    UNREADABLE = "unreadable"  # a record that is no event
    SKIPPED = "skipped"  # its record was passed by the views' consumer, no view shows it
    DIFFERENT = "different"  # a view's row that is not the fold of its stream
    INVENTED = "invented"  # a view's row of no event
    UNFOLDED = "unfolded"  # a view that could not be compared: not built, or of events that cannot be folded
    SET_ASIDE = "set_aside"  # a key whose records wait for a person, so that what follows from them stands still
    FORGOTTEN = "forgotten"  # a shop shows something else, and nothing is going to change that


class Violation(Struct, frozen=True, kw_only=True):
    kind: Kind
    stream: str
    """organisation/stream id, or what else names it."""
    version: int = 0
    event_id: str = ""
    detail: str = ""

    def __str__(self) -> str:
        version = f" version {self.version}" if self.version else ""
        event = f", event {self.event_id}" if self.event_id else ""
        return f"{self.kind}: {self.stream}{version}{event}" + (f": {self.detail}" if self.detail else "")


class Check(Struct, kw_only=True):
    name: str
    compared: str
    """What was held against what."""
    count: int = 0
    """How much of it, in the unit that `compared` names."""
    violations: dict[Kind, int] = field(default_factory=dict)
    examples: list[Violation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth knowing and wrong in no way."""

    def add(self, violation: Violation, *, times: int = 1) -> None:
        so_far = self.violations.get(violation.kind, 0)
        self.violations[violation.kind] = so_far + times
        if so_far < SHOWN:
            self.examples.append(violation)

    @property
    def is_sound(self) -> bool:
        return not self.violations


class Report(Struct, frozen=True, kw_only=True):
    cut: int
    """The highest position when the verification looked; what was written later is not missed."""
    taken_at: str
    seconds: float
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        return all(check.is_sound for check in self.checks)

    @property
    def violations(self) -> Counter[Kind]:
        found: Counter[Kind] = Counter()
        for check in self.checks:
            found.update(check.violations)
        return found
