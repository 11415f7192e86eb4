"""A line of our own code made wrong, in place: the functions that it changes get the code that its source would give.

Nothing is imported anew, so every reference to a function sees the change, and its end.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from msgspec import Struct

from tests.simulation.database import STATEMENTS, Meaning


class Mutant(Struct, frozen=True, kw_only=True):
    """`before` stands exactly once in the module's source."""

    name: str
    scenario: str
    module: str
    before: str
    after: str
    also: tuple[tuple[str, str], ...] = ()
    """More of the same: before, after."""

    @contextmanager
    def alive(self) -> Iterator[None]:
        module = importlib.import_module(self.module)
        source = inspect.getsource(module)
        for before, after in ((self.before, self.after), *self.also):
            found = source.count(before)
            assert found == 1, f"{self.name}: {before!r} stands {found} times in {self.module}"
            source = source.replace(before, after)
        mutated = compile(source, module.__file__ or "", "exec", dont_inherit=True)
        changed: list[tuple[FunctionType, CodeType]] = []
        for code in _functions_of(mutated):
            function = _named(module, code.co_qualname)
            if function is not None and function.__code__ != code:
                changed.append((function, function.__code__))
                function.__code__ = code
        assert changed, f"{self.name}: no function has changed"
        try:
            yield
        finally:
            for function, code in changed:
                function.__code__ = code


class MutantStatement(Struct, frozen=True, kw_only=True):
    """An SQL statement made wrong: the twin of the database takes it for what it would mean then."""

    name: str
    scenario: str
    text: str
    means: Callable[[Meaning], Meaning]
    """Of what it means otherwise."""

    @contextmanager
    def alive(self) -> Iterator[None]:
        _, before = STATEMENTS.find(self.text)
        STATEMENTS.replaced(self.text, self.means(before))
        try:
            yield
        finally:
            STATEMENTS.replaced(self.text, before)


def _functions_of(code: CodeType) -> Iterator[CodeType]:
    """Of a module and of its classes."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_NEWLOCALS:
                yield constant
            else:
                yield from _functions_of(constant)


def _named(module: Any, qualified: str) -> FunctionType | None:
    """None for what has no name to find it by: comprehensions and lambdas outside of functions."""
    found: Any = module
    for part in qualified.split("."):
        found = inspect.getattr_static(found, part, None)
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = inspect.unwrap(found) if callable(found) else None
    return found if isinstance(found, FunctionType) else None
