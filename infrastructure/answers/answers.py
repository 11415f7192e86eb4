"""Idempotency for commands that are harmless to do twice, but must be answered alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection

from infrastructure.postgres import statements
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as

SQL: Final = statements.load(Path(__file__).with_name("answers.sql"))


class Kept(Struct, frozen=True):
    fingerprint: bytes
    answer: bytes


class Answers:
    """The pool works as `syncstore_app`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, org_id: str, key: str) -> Kept | None:
        async with self._asking(org_id) as connection:
            cursor = await connection.execute(SQL["find"], {"org_id": org_id, "key": key})
            row = await cursor.fetchone()
        return None if row is None else Kept(bytes(row[0]), bytes(row[1]))

    async def keep(self, org_id: str, key: str, kept: Kept) -> Kept:
        """What is kept under the key now: this, or what somebody else was told a moment earlier."""
        values = {"org_id": org_id, "key": key, "fingerprint": kept.fingerprint, "answer": kept.answer}
        async with self._asking(org_id) as connection:
            await connection.execute(SQL["keep"], values)
        return await self.find(org_id, key) or kept

    @asynccontextmanager
    async def _asking(self, org_id: str) -> AsyncIterator[AsyncConnection[Any]]:
        with translated():
            async with self._pool.connection() as connection, connection.pipeline(), connection.transaction():
                await see_as(connection, org_id)
                yield connection
