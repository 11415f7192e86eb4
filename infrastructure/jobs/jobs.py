"""Jobs and their items in the database. A job belongs to whoever holds its lease; when that ends, anyone goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct
from psycopg import AsyncConnection

from infrastructure.postgres import statements
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as

SQL: Final = statements.load(Path(__file__).with_name("jobs.sql"))

LEASE_SECONDS: Final = 30.0

JobState = Literal["waiting", "running", "finished", "cancelled", "failed"]
ItemState = Literal["waiting", "done", "unchanged", "refused", "cancelled"]


class NewJob(Struct, frozen=True, kw_only=True):
    id: UUID
    kind: str
    actor: str
    correlation_id: UUID
    parameters: bytes = b"{}"
    """JSON."""
    payload: bytes | None = None
    items: tuple[bytes, ...] = ()
    """JSON each."""
    key: str | None = None
    fingerprint: bytes | None = None


class Job(Struct, frozen=True, kw_only=True):
    id: UUID
    kind: str
    state: JobState
    actor: str
    correlation_id: UUID
    parameters: Raw
    report: Any
    error: str | None
    total: int
    counts: dict[ItemState, int]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class Item(Struct, frozen=True, kw_only=True):
    number: int
    request: Any
    state: ItemState
    product_id: str | None
    version: int | None
    position: int | None
    problem: Any


class Settled(Struct, frozen=True, kw_only=True):
    """How an item ended; `problem` is JSON."""

    number: int
    state: ItemState
    product_id: str | None = None
    version: int | None = None
    position: int | None = None
    problem: bytes | None = None


class Created(Struct, frozen=True):
    """The job; `fingerprint` is that of an earlier request with the same key, None for a new job."""

    id: UUID
    fingerprint: bytes | None


class Jobs:
    """The pool works as `syncstore_app`. `arrived` is set whenever this process has made a job."""

    def __init__(self, pool: Pool, *, lease: float = LEASE_SECONDS) -> None:
        self._pool = pool
        self._lease = lease
        self.arrived = asyncio.Event()

    async def create(self, org_id: str, job: NewJob) -> Created:
        values = {
            "org_id": org_id,
            "id": job.id,
            "kind": job.kind,
            "actor": job.actor,
            "correlation_id": job.correlation_id,
            "key": job.key,
            "fingerprint": job.fingerprint,
            "parameters": job.parameters.decode(),
            "payload": job.payload,
            "total": len(job.items),
        }
        async with self._asking(org_id) as connection:
            cursor = await connection.execute(SQL["insert_job"], values)
            if await cursor.fetchone() is None:
                cursor = await connection.execute(SQL["job_of_key"], values)
                row = await cursor.fetchone()
                assert row is not None, "the key stood in the way of the insert"
                return Created(row[0], bytes(row[1]))
            if job.items:
                requests = [item.decode() for item in job.items]
                await connection.execute(SQL["insert_items"], {**values, "requests": requests})
        self.arrived.set()
        return Created(job.id, None)

    async def read(self, org_id: str, job_id: UUID) -> Job | None:
        row = await self._one("job", org_id, job_id)
        return None if row is None else msgspec.json.decode(row[0], type=Job)

    async def payload(self, org_id: str, job_id: UUID) -> bytes:
        row = await self._one("payload", org_id, job_id)
        return b"" if row is None or row[0] is None else bytes(row[0])

    async def items(
        self, org_id: str, job_id: UUID, *, after: int = -1, limit: int = 100, state: ItemState | None = None
    ) -> Sequence[Item]:
        row = await self._one("items", org_id, job_id, after=after, limit=limit, state=state)
        assert row is not None, "an aggregate always answers one row"
        return msgspec.json.decode(row[0], type=list[Item])

    async def take(self, kinds: Sequence[str]) -> tuple[str, UUID, str] | None:
        """Organisation, id and kind of a job that is now this process's to do."""
        with translated():
            async with self._pool.connection() as connection:
                cursor = await connection.execute(SQL["take"], {"kinds": list(kinds), "lease": self._lease})
                return await cursor.fetchone()

    async def settle(self, org_id: str, job_id: UUID, settled: Sequence[Settled]) -> bool:
        """Keep how items ended, and the lease. False when the job has been cancelled: begin nothing more."""
        values: dict[str, Any] = {
            "numbers": [one.number for one in settled],
            "states": [one.state for one in settled],
            "product_ids": [one.product_id for one in settled],
            "versions": [one.version for one in settled],
            "positions": [one.position for one in settled],
            "problems": [None if one.problem is None else one.problem.decode() for one in settled],
        }
        async with self._asking(org_id) as connection:
            await connection.execute(SQL["settle"], {"org_id": org_id, "id": job_id, **values})
            return await self._renew(connection, org_id, job_id, None)

    async def renew(self, org_id: str, job_id: UUID, report: bytes | None = None) -> bool:
        """Keep the lease, and how far the job is. False when the job has been cancelled."""
        async with self._asking(org_id) as connection:
            return await self._renew(connection, org_id, job_id, report)

    async def release(self, org_id: str, job_id: UUID) -> None:
        await self._one("release", org_id, job_id, answers=False)

    async def finish(
        self, org_id: str, job_id: UUID, *, state: JobState, report: bytes | None = None, error: str | None = None
    ) -> None:
        told = None if report is None else report.decode()
        await self._one("finish", org_id, job_id, answers=False, state=state, report=told, error=error)

    async def cancel(self, org_id: str, job_id: UUID) -> bool:
        """False when the job had ended, or is not there."""
        values = {"org_id": org_id, "id": job_id}
        async with self._asking(org_id) as connection:
            cursor = await connection.execute(SQL["cancel"], values)
            if await cursor.fetchone() is None:
                return False
            await connection.execute(SQL["cancel_items"], values)
        return True

    async def _renew(self, connection: AsyncConnection[Any], org_id: str, job_id: UUID, report: bytes | None) -> bool:
        told = None if report is None else report.decode()
        values = {"org_id": org_id, "id": job_id, "lease": self._lease, "report": told}
        cursor = await connection.execute(SQL["renew"], values)
        return await cursor.fetchone() is not None

    async def _one(
        self, statement: str, org_id: str, job_id: UUID, *, answers: bool = True, **values: Any
    ) -> tuple[Any, ...] | None:
        asked: Mapping[str, Any] = {"org_id": org_id, "id": job_id, **values}
        async with self._asking(org_id) as connection:
            cursor = await connection.execute(SQL[statement], asked)
            return await cursor.fetchone() if answers else None

    @asynccontextmanager
    async def _asking(self, org_id: str) -> AsyncIterator[AsyncConnection[Any]]:
        with translated():
            async with self._pool.connection() as connection, connection.transaction():
                await see_as(connection, org_id)
                yield connection
