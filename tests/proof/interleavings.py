"""What transactions do to each other, step by step, around a reader: the same few moments every time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection

from tests.proof.readers import BrokerAway, Meanwhile, Reader, Topic, nothing
from tests.support.backlog import Fact, store


@dataclass
class Stage:
    url: str
    make: Callable[[], Reader]
    topic: Topic

    def __post_init__(self) -> None:
        self._reader = self.make()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Open until it is committed; rolled back at the end if it never was."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            yield connection
            await connection.rollback()

    async def committed(self, *facts: Fact) -> None:
        async with self.transaction() as connection:
            await store(connection, facts)
            await connection.commit()

    async def read(self, meanwhile: Meanwhile = nothing) -> None:
        await self._reader.step(meanwhile)

    async def read_and_die(self) -> None:
        """The broker is away, then the process is gone; another comes up when the broker is back."""
        self.topic.is_away = True
        try:
            await self._reader.step(nothing)
        except BrokerAway:
            pass
        else:
            raise AssertionError("nothing was sent")
        self.topic.is_away = False
        self._reader = self.make()


async def a_late_commit(stage: Stage) -> None:
    """A lower position comes into sight after a higher one was read."""
    async with stage.transaction() as late:
        await store(late, [Fact("a", 1)])
        await stage.committed(Fact("b", 1))
        await stage.read()
        await late.commit()
    await stage.read()


async def an_early_transaction_id(stage: Stage) -> None:
    """The older transaction draws the higher position; the younger one, with the lower, commits late."""
    async with stage.transaction() as older, stage.transaction() as younger:
        await older.execute("select pg_current_xact_id()")
        await store(younger, [Fact("a", 1)])
        await store(older, [Fact("b", 1)])
        await older.commit()
        await stage.read()
        await younger.commit()
    await stage.read()


async def an_older_transaction_appends_later(stage: Stage) -> None:
    """To the same stream: it waited, or had written something else before."""
    async with stage.transaction() as older:
        await older.execute("select pg_current_xact_id()")
        await stage.committed(Fact("a", 1))
        await store(older, [Fact("a", 2)])
        await older.commit()
    await stage.read()


async def a_commit_between_sending_and_noting(stage: Stage) -> None:
    """A position in the middle of what was sent."""
    await stage.committed(Fact("a", 1))
    async with stage.transaction() as late:
        await store(late, [Fact("b", 1)])
        await stage.committed(Fact("c", 1))

        async def commit() -> None:
            await late.commit()

        await stage.read(commit)
    await stage.read()


async def a_rollback(stage: Stage) -> None:
    """A position that never comes."""
    async with stage.transaction() as lost:
        await store(lost, [Fact("a", 1)])
        await stage.committed(Fact("b", 1))
        await stage.read()
        await lost.rollback()
    await stage.committed(Fact("a", 1))
    await stage.read()


async def several_batches_of_one_stream(stage: Stage) -> None:
    for version in range(1, 4):
        await stage.committed(Fact("a", version))
        await stage.read()


async def a_death_while_sending(stage: Stage) -> None:
    await stage.committed(Fact("a", 1))
    await stage.read_and_die()
    await stage.committed(Fact("b", 1))
    await stage.read()


INTERLEAVINGS: tuple[Callable[[Stage], Awaitable[None]], ...] = (
    a_late_commit,
    an_early_transaction_id,
    an_older_transaction_appends_later,
    a_commit_between_sending_and_noting,
    a_rollback,
    several_batches_of_one_stream,
    a_death_while_sending,
)
