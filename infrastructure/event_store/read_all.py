"""Every event once, however late its transaction commits: what is visible now and was not at the last look.

Each look is one snapshot; the next begins where its snapshot ended. No position is a promise that lower ones are there,
and no open transaction holds the reader up. Within a look, events come by position, and a stream's events have growing
positions, so each stream is in order.

A token is `system identifier|snapshot before|snapshot of the look|position reached in it`. Transaction ids mean nothing
in another cluster: after a restore, events that came with it are told by position from those written since.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection, IsolationLevel

from domain.errors import SyncStoreError
from domain.ports import AllBatch
from infrastructure.event_store.rows import JsonBytes, recorded

NOTHING: Final = "1:1:"
"""A snapshot that shows no transaction."""
EVERYTHING: Final = f"{2**62 - 1}:{2**62 - 1}:"
"""A snapshot that shows each. (PostgreSQL refuses multiples of 2**32, which no transaction has.)"""
BATCH: Final = 2000


class TokenRefused(SyncStoreError):
    """The token is damaged, or this cluster has not been registered by `syncstore migrate`."""


class Token(Struct, frozen=True):
    system: str
    since: str
    until: str
    position: int

    def __str__(self) -> str:
        return f"{self.system}|{self.since}|{self.until}|{self.position}"


def parse(text: str) -> Token:
    """Raises TokenRefused."""
    try:
        system, since, until, position = text.split("|")
        return Token(system, since, until, int(position))
    except ValueError as error:
        raise TokenRefused(f"{text!r} is not a token of this event store; start without one") from error


async def batches(
    connection: AsyncConnection[Any], sql: Mapping[str, str], *, after: str | None, limit: int | None
) -> AsyncIterator[AllBatch]:
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    try:
        async with connection.transaction():
            cursor = await connection.execute(sql["cluster"])
            row = await cursor.fetchone()
            assert row is not None
            system, first, now = row
            if first is None:
                raise TokenRefused("this database was restored into another cluster: run `syncstore migrate` first")
            left = limit
            for name, bounds, token in _looks(parse(after) if after else None, system, first, now):
                async for batch in _read(connection, sql[name], bounds, token, left):
                    yield batch
                    left = None if left is None else left - len(batch.events)
                    if left == 0:
                        return
    finally:
        await connection.set_isolation_level(None)


def _looks(token: Token | None, system: str, first: int, now: str) -> list[tuple[str, dict[str, Any], Token]]:
    """Queries to ask in turn, each with the token that names its progress."""
    every = {"since": NOTHING, "until": None, "after": 0, "first": 0, "end": None}
    if token is None:
        return [
            ("read_from", every | {"end": first}, Token(system, NOTHING, NOTHING, 0)),
            ("read_between", every | {"first": first}, Token(system, NOTHING, now, 0)),
        ]
    if token.system != system:
        # Restored: the rest of what came with the restore, then all that was written here.
        begun = every | {"since": token.since, "until": token.until, "after": token.position, "end": first}
        rest = every | {"since": token.until, "end": first}
        return [
            ("read_between", begun, token),
            ("read_between", rest, Token(token.system, token.until, EVERYTHING, 0)),
            ("read_between", every | {"first": first}, Token(system, NOTHING, now, 0)),
        ]
    looks = []
    if token.until == NOTHING:
        looks.append(("read_from", every | {"after": token.position, "end": first}, token))
    elif token.position:
        looks.append(
            (
                "read_between",
                every | {"since": token.since, "until": token.until, "after": token.position, "first": first},
                token,
            )
        )
    looks.append(("read_between", every | {"since": token.until, "first": first}, Token(system, token.until, now, 0)))
    return looks


async def _read(
    connection: AsyncConnection[Any], query: str, bounds: dict[str, Any], token: Token, limit: int | None
) -> AsyncIterator[AllBatch]:
    async with connection.cursor("read_all", binary=True) as cursor:
        cursor.adapters.register_loader("json", JsonBytes)
        await cursor.execute(query, bounds)
        size = BATCH if limit is None else min(BATCH, limit)
        while rows := await cursor.fetchmany(size):
            events = [recorded(row) for row in rows]
            yield AllBatch(events, str(Token(token.system, token.since, token.until, events[-1].position)))
