"""The event store in PostgreSQL. Implements `domain.ports.EventStore`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import psycopg

from domain.messages import UNIQUE_EVERYWHERE, Append, Claim, ClaimTaken, Outcome, RecordedEvent, Replayed
from domain.ports import AllBatch, AsOf
from infrastructure.event_store import bulk, read_all, statement
from infrastructure.event_store.bulk import SQL
from infrastructure.event_store.grouping import Grouping
from infrastructure.event_store.rows import JsonBytes, recorded
from infrastructure.postgres import statements
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as

READ: Final = statements.load(Path(__file__).with_name("read.sql"))

RACES: Final = (psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
"""Another process came first between our look and our write. Nothing was stored; asked again, it is seen."""
ATTEMPTS: Final = 5
ELSEWHERE: Final = "claims_shop"
"""The index by which a value of UNIQUE_EVERYWHERE belongs to one organisation."""


class PostgresEventStore:
    """Reads and appends as the role of its pool's connections: row-level security holds for the application's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._grouping = Grouping(self._send)

    async def append(self, org_id: str, append: Append) -> Outcome:
        """Raises EventTooLarge, DatabaseUnavailable (what became of the append is not known then)."""
        statement.check_sizes(append)
        return await self._grouping.append(org_id, append)

    async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Raises EventTooLarge, DatabaseUnavailable, ValueError when a stream is there twice."""
        if len({append.stream_id for append in appends}) != len(appends):
            raise ValueError("append_many() takes each stream once; put its events into one append")
        for append in appends:
            statement.check_sizes(append)
        return await self._repeated(lambda: self._send_many(org_id, appends))

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        until = as_of or AsOf()
        return await self._read(
            org_id,
            READ["read_stream"],
            {
                "org_id": org_id,
                "stream": stream,
                "after": after,
                "version": until.version,
                "position": until.position,
                "occurred_at": until.occurred_at,
                "recorded_at": until.recorded_at,
            },
        )

    async def read_streams(
        self, org_id: str, streams: Sequence[str], *, after: Mapping[str, int] | None = None
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        versions = {stream: (after or {}).get(stream, 0) for stream in streams}
        asked = {"org_id": org_id, "streams": list(versions), "after": list(versions.values())}
        events = await self._read(org_id, READ["read_streams"], asked)
        return {stream: list(found) for stream, found in groupby(events, key=attrgetter("stream_id"))}

    async def streams_of(self, org_id: str, category: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        bounds = {"after": max(after, f"{category}-"), "end": f"{category}.", "org_id": org_id, "limit": limit}
        return [stream for (stream,) in await self._ask(org_id, READ["streams_of"], bounds)]

    async def versions_of(self, org_id: str, streams: Sequence[str]) -> Mapping[str, int]:
        return dict(await self._ask(org_id, READ["versions_of"], {"org_id": org_id, "streams": list(streams)}))

    async def answered(self, org_id: str, key: str) -> Replayed | None:
        rows = await self._ask(org_id, READ["answered"], {"org_id": org_id, "key": key})
        return next((Replayed(*row) for row in rows), None)

    async def owner_of(self, org_id: str, claims: Sequence[Claim]) -> Mapping[Claim, str]:
        asked = {
            "org_id": org_id,
            "kinds": [claim.kind for claim in claims],
            "values": [claim.value for claim in claims],
        }
        return {Claim(kind, value): stream for kind, value, stream in await self._ask(org_id, READ["owners"], asked)}

    async def read_all(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[AllBatch]:
        with translated():
            async with self._pool.connection() as connection:
                async for batch in read_all.batches(connection, READ, after=after, limit=limit):
                    yield batch

    async def _send(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        return await self._repeated(lambda: self._send_once(org_id, appends))

    async def _send_once(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        name, parameters = statement.call(org_id, appends)
        with translated():
            async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                try:
                    await cursor.execute(SQL[name], parameters, prepare=True)
                except psycopg.errors.UniqueViolation as error:
                    if error.diag.constraint_name != ELSEWHERE or len(appends) > 1:
                        raise
                else:
                    return statement.outcomes(appends, await cursor.fetchall())
            return [await self._taken_elsewhere(org_id, appends[0])]

    async def _taken_elsewhere(self, org_id: str, append: Append) -> Outcome:
        everywhere = [claim for claim in append.claims if claim.kind in UNIQUE_EVERYWHERE]
        if await self.owner_of(org_id, everywhere):
            raise psycopg.errors.SerializationFailure("one of our own was faster; asked again, it is seen")
        return ClaimTaken(everywhere[0], owner="")

    async def _send_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        with translated():
            async with self._pool.connection() as connection:
                return await bulk.append_many(connection, org_id, appends)

    async def _repeated(self, send: Callable[[], Awaitable[Sequence[Outcome]]]) -> Sequence[Outcome]:
        for _ in range(ATTEMPTS - 1):
            try:
                return await send()
            except RACES:
                await asyncio.sleep(0)
        return await send()

    async def _read(self, org_id: str, query: str, parameters: dict[str, Any]) -> list[RecordedEvent]:
        return [recorded(row) for row in await self._ask(org_id, query, parameters)]

    async def _ask(self, org_id: str, query: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of one organisation. Both statements travel together, and until the end of the pipeline they are one
        transaction: one round trip, and nothing of it stays with the connection.
        """
        with translated():
            async with self._pool.connection() as connection, connection.cursor(binary=True) as cursor:
                cursor.adapters.register_loader("json", JsonBytes)
                async with connection.pipeline():
                    await see_as(connection, org_id)
                    await cursor.execute(query, parameters, prepare=True)
                return await cursor.fetchall()
