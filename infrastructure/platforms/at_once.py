"""Several reads of one shop at the same time, but not too many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
AT_ONCE: Final = 8


async def at_once(reads: Sequence[Awaitable[T]]) -> list[T]:
    """Results in order, a few at a time; the first failure is raised when all that had begun has ended."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(read: Awaitable[T]) -> T:
        async with turn:
            return await read

    outcomes = await asyncio.gather(*(one(read) for read in reads), return_exceptions=True)
    results = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results
