from datetime import datetime, timedelta

import pytest

from domain.ports import EventStore
from infrastructure.event_store.in_memory import InMemoryEventStore
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.pool import Pool
from tests.contracts.event_store_contract import T0, EventStoreContract


class Ticking:
    """Never the same time twice."""

    def __init__(self) -> None:
        self._now = T0

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


class TestInMemory(EventStoreContract):
    @pytest.fixture
    def store(self) -> EventStore:
        return InMemoryEventStore(Ticking())


class TestPostgres(EventStoreContract):
    @pytest.fixture
    def store(self, worker_pool: Pool) -> EventStore:
        return PostgresEventStore(worker_pool)
