"""A login that is a member of the application's role tries to get out of its organisation."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, sql
from psycopg.conninfo import make_conninfo

from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.pool import Pool, connection_arguments
from tests.contracts.event_store_contract import ORG, OTHER, SKU, append, key

Connection = AsyncConnection[Any]


@pytest.fixture
async def intruder(database_url: str, worker_pool: Pool) -> AsyncIterator[Connection]:
    """Works for ORG; what it is after is OTHER's."""
    store = PostgresEventStore(worker_pool)
    for org in (ORG, OTHER):
        await store.append(org, append(events=2, claims=(SKU,), idempotency=key()))
    login, password = f"login_{uuid4().hex}", uuid4().hex
    async with await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute(
            sql.SQL("create role {} login password {} in role syncstore_app").format(sql.Identifier(login), password)
        )
        try:
            url = make_conninfo(database_url, user=login, password=password)
            arguments = connection_arguments(role="syncstore_app", name="intruder")
            async with await AsyncConnection.connect(url, **arguments) as connection:
                await connection.execute("select set_config('syncstore.org', %s, false)", (ORG,))
                yield connection
        finally:
            await owner.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


async def orgs(connection: Connection, table: str) -> set[str]:
    query = sql.SQL("select org_id from {}").format(sql.Identifier(table))
    return {row[0] for row in await (await connection.execute(query)).fetchall()}


TABLES = ("events", "streams", "idempotency_keys", "claims")
FORBIDDEN = (
    "set role syncstore_worker",
    "set session authorization syncstore_worker",
    "select * from outbox",
    "delete from outbox",
    "update events set data = '{}'",
    "delete from events",
    "truncate events",
    "update idempotency_keys set response = ''",
    "update claims set stream_id = 'product-mine'",
    "alter table events disable row level security",
    "drop policy own_org on events",
    "create policy mine on events using (true)",
    "select setval('event_position', 1)",
    "insert into schema_migrations values (9999, 'x', 'x')",
    "create table public.mine ()",
)
FOREIGN_ROWS = (
    "insert into streams (org_id, stream_id, version) values ('toko-sebelah', 'product-2', 1)",
    "insert into claims values ('toko-sebelah', 'sku', 'mine', 'product-1')",
    "insert into idempotency_keys values ('toko-sebelah', 'mine', '', '', 'product-1', 1, 0)",
    """insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id)
    values ('toko-sebelah', 'product-1', 3, '1', gen_random_uuid(), 'x', 1, '{}', now(), 'x', gen_random_uuid())""",
)


async def test_it_sees_its_own_organisation_alone(intruder: Connection) -> None:
    for table in TABLES:
        assert await orgs(intruder, table) == {ORG}
    for unset in ("reset syncstore.org", "set syncstore.org = ''"):
        await intruder.execute(unset)
        for table in TABLES:
            assert await orgs(intruder, table) == set()


async def test_dropping_the_role_frees_it_of_nothing(intruder: Connection) -> None:
    await intruder.execute("reset role")
    for table in TABLES:
        assert await orgs(intruder, table) == {ORG}
    await intruder.execute("set row_security = off")
    for table in TABLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            await orgs(intruder, table)


async def test_it_may_neither_change_facts_nor_its_rights_nor_see_the_outbox(intruder: Connection) -> None:
    for role in ("set role syncstore_app", "reset role"):
        await intruder.execute(role)
        for statement in FORBIDDEN:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await intruder.execute(statement)


async def test_it_writes_nothing_for_another_organisation(intruder: Connection) -> None:
    for statement in FOREIGN_ROWS:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            await intruder.execute(statement)
    assert (await intruder.execute("update streams set version = 99 where org_id = 'toko-sebelah'")).rowcount == 0
    assert (await intruder.execute("delete from streams where org_id = 'toko-sebelah'")).rowcount == 0
    assert (await intruder.execute("delete from claims where org_id = 'toko-sebelah'")).rowcount == 0


async def test_what_one_call_works_for_does_not_stay_with_the_connection(app_pool: Pool) -> None:
    store = PostgresEventStore(app_pool)
    await store.append(ORG, append(idempotency=key()))
    assert len(await store.read_stream(ORG, "product-1")) == 1
    assert await store.read_stream(OTHER, "product-1") == []
    async with app_pool.connection() as connection:
        assert await orgs(connection, "events") == set()
