"""Given facts, when asked, then facts: how decisions are told in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import pytest

from domain.decider import Decider
from domain.errors import Refusal

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True)
class Scenario(Generic[C, S, E]):
    decider: Decider[C, S, E]
    history: tuple[E, ...] = ()
    command: C | None = None

    def given(self, *facts: E) -> Scenario[C, S, E]:
        return replace(self, history=(*self.history, *facts))

    def after(self, *commands: C) -> Scenario[C, S, E]:
        """Facts that earlier commands led to."""
        history = self.history
        for command in commands:
            history = (*history, *self.decider.decide(command, self.decider.fold(history)))
        return replace(self, history=history)

    def when(self, command: C) -> Scenario[C, S, E]:
        return replace(self, command=command)

    @property
    def state(self) -> S:
        return self.decider.fold(self.history)

    @property
    def events(self) -> Sequence[E]:
        assert self.command is not None, "ask something with when()"
        return self.decider.decide(self.command, self.state)

    @property
    def outcome(self) -> S:
        """The state after the command's events."""
        return self.decider.fold(self.events, self.state)

    def then(self, *expected: E) -> Scenario[C, S, E]:
        assert list(self.events) == list(expected)
        return self

    def nothing(self) -> Scenario[C, S, E]:
        return self.then()

    def refused(self, refusal: type[Refusal], match: str | None = None) -> Refusal:
        with pytest.raises(refusal, match=match) as caught:
            _ = self.events
        return caught.value


def scenario(decider: Decider[C, S, E]) -> Scenario[C, S, E]:
    return Scenario(decider)
