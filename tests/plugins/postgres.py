"""A database of its own for each test, cloned from one that was migrated once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import APP, WORKER, Pool, open_pool


def named(url: str, database: str) -> str:
    """The same server, another database."""
    return make_conninfo(**{**conninfo_to_dict(url), "dbname": database})  # type: ignore[arg-type]  # dict of Any


@contextmanager
def fresh_database(server: str, *, template: str = "template0") -> Iterator[str]:
    """An address of a new database that is dropped in the end, whoever is still connected."""
    database = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        # Where nothing is written through to the disk, copying files costs far less than logging every page.
        connection.execute(f"create database {database} template {template} strategy file_copy")
        try:
            yield named(server, database)
        finally:
            connection.execute(f"drop database {database} with (force)")


@pytest.fixture(scope="session")
def migrated_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    with fresh_database(postgres_url) as url:
        asyncio.run(migrate(url))
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def database_url(postgres_url: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres_url, template=migrated_template) as url:
        yield url


@pytest.fixture
async def app_pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, role=APP, name="tests-app", max_size=4) as pool:
        yield pool


@pytest.fixture
async def worker_pool(database_url: str) -> AsyncIterator[Pool]:
    async with open_pool(database_url, role=WORKER, name="tests-worker", max_size=4) as pool:
        yield pool
