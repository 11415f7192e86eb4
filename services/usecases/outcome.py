"""How a command ended, and the refusals that only storing can bring about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from domain.errors import Refusal, Transient

S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Done(Generic[S, E]):
    """`version` and `position` are what to wait for in a view; `position` is 0 when nothing had to be stored."""

    version: int
    position: int
    events: Sequence[E]
    """Empty for a command that changed nothing, and for one that had been answered before."""
    state: S
    replayed: bool = False
    """The key had been used for the very same request before: `response` is what was answered then."""
    response: bytes = b""


class StaleVersion(Refusal):
    """The caller decided on a version that is no longer the current one."""

    code = "version_stale"
    remedy = "Read it again, look at what was changed meanwhile, and send the change with the current version."

    def __init__(self, *, expected: int, current: int, changed: frozenset[str], actor: str) -> None:
        fields = sorted(changed)
        what = f"; {actor} changed {', '.join(fields)}" if fields else ""
        super().__init__(
            f"version {expected} was expected, {current} is current{what}",
            expected_version=expected,
            current_version=current,
            changed_fields=fields,
            actor=actor,
        )
        self.expected, self.current, self.changed, self.actor = expected, current, changed, actor


class KeyReused(Refusal):
    code = "idempotency_key_reused"
    remedy = "Use a new key for a new request; a repeated one must be the same to the byte."


class TooBusy(Refusal, Transient):
    code = "too_busy"
    remedy = "Many changes meet here at this moment; send it again."
