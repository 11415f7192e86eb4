from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from infrastructure.outbox import operations
from infrastructure.outbox.in_memory import InMemoryOutbox, OutboxTables
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.port import OutboxPort
from infrastructure.outbox.reader import Outbox
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import Pool
from tests.contracts.outbox_contract import OutboxContract, Stand
from tests.support.backlog import Fact, store


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


class InMemory:
    def __init__(self) -> None:
        self._tables = OutboxTables()
        self.mine: OutboxPort = InMemoryOutbox(self._tables, "mine")
        self.other: OutboxPort = InMemoryOutbox(self._tables, "other")
        self.terms = self._tables.claim("mine")
        self._open = ""

    async def store(self, *facts: Fact) -> list[int]:
        transaction = self._tables.begin()
        stored = [self._tables.insert(transaction, fact.stream_id, fact.version) for fact in facts]
        self._tables.commit(transaction)
        return stored

    async def begin(self, *facts: Fact) -> list[int]:
        self._open = self._tables.begin()
        return [self._tables.insert(self._open, fact.stream_id, fact.version) for fact in facts]

    async def commit(self) -> None:
        self._tables.commit(self._open)

    async def release(self, key: str) -> int:
        return self._tables.release(key)

    async def drop(self, key: str) -> int:
        return self._tables.drop(key)


class InPostgres:
    def __init__(self, pool: Pool, slow: psycopg.AsyncConnection[tuple[object, ...]], terms: dict[int, int]) -> None:
        self._pool = pool
        self._slow = slow
        self.mine: OutboxPort = Outbox(pool, "mine")
        self.other: OutboxPort = Outbox(pool, "other")
        self.terms = terms

    async def store(self, *facts: Fact) -> list[int]:
        async with self._pool.connection() as connection:
            return await store(connection, facts)

    async def begin(self, *facts: Fact) -> list[int]:
        return await store(self._slow, facts)

    async def commit(self) -> None:
        await self._slow.commit()

    async def release(self, key: str) -> int:
        return await operations.release(self._pool, key)

    async def drop(self, key: str) -> int:
        return await operations.drop(self._pool, key, reason="tried", by="user:sari")


class TestInMemory(OutboxContract):
    @pytest.fixture
    def stand(self) -> Stand:
        return InMemory()


class TestPostgres(OutboxContract):
    @pytest.fixture
    async def stand(self, worker_pool: Pool, database_url: str) -> AsyncIterator[Stand]:
        terms = await Leases(worker_pool, "mine").claim(SHARDS)
        async with await psycopg.AsyncConnection.connect(database_url) as slow:
            yield InPostgres(worker_pool, slow, terms)
