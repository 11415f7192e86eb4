"""Rows into the table of a view and back, few by JSON and many by COPY."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec import Raw
from msgspec.structs import replace
from psycopg import AsyncConnection

from domain.events import encode
from domain.values import Dimensions
from infrastructure.postgres.pool import Pool
from projections import tables
from projections.catalogue.projector import CATALOGUE
from projections.conflicts.projector import CONFLICTS
from projections.fill import StoredFact, fold_stream
from projections.listing_status.projector import LISTING_STATUS
from projections.projection import Row, View
from projections.tables import block, create_table, load_rows, store_rows, table_of
from tests.projections.stage import ORG, created
from tests.projections.test_listing_views import life

AT = datetime(2026, 1, 5, 10, 30, 0, 123_456, tzinfo=UTC)
Connection = AsyncConnection[Any]
VIEWS = (CATALOGUE, LISTING_STATUS, CONFLICTS)
JSON, COPY = 1_000, 1


@pytest.fixture
async def connection(worker_pool: Pool) -> AsyncIterator[Connection]:
    async with worker_pool.connection() as connection:
        for view in VIEWS:
            await make(connection, view, 1)
        yield connection


@pytest.fixture(params=[JSON, COPY], ids=["json", "copy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "COPIED_FROM", request.param)


async def make(connection: Connection, view: View[Any, Any], generation: int) -> None:
    await create_table(connection, view, generation)
    await connection.execute(block(view, "indexes", generation))


def folded(view: View[Any, Any], kind: str, *events: Any) -> Any:
    facts = []
    for version, event in enumerate(events, start=1):
        name, schema, data = encode(event)
        facts.append(StoredFact(version, version, name, schema, AT, Raw(data), ORG, f"{kind}-1", "1"))
    (row,) = fold_stream(view, facts)
    return row


def product(number: int, **others: Any) -> Any:
    row = folded(CATALOGUE, "product", created(str(number), 'Kemeja "Batik", \\ {é}', tags=("batik, solo", "pria")))
    return replace(row, product_id=f"p-{number}", created_position=number, **others)


def one_of(view: View[Any, Any]) -> Any:
    if view is CATALOGUE:
        return product(1, cost_price=7, dimensions=Dimensions(weight_kg=Decimal("0.25")))
    return folded(view, "listing", *life())


async def store(connection: Connection, *rows: Any, view: View[Any, Any] = CATALOGUE, generation: int = 1) -> None:
    async with connection.transaction():
        await store_rows(connection, view, generation, rows)


async def stored(connection: Connection, generation: int = 1) -> dict[str, int]:
    """Price of each product that is there."""
    cursor = await connection.execute(f"select product_id, base_price from {table_of(CATALOGUE, generation)}")
    return dict(await cursor.fetchall())


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.name))
async def test_a_row_is_loaded_as_it_was_stored(connection: Connection, view: View[Row, Any]) -> None:
    row = one_of(view)
    await store(connection, row, view=view)
    key = ORG, getattr(row, view.key)
    assert await load_rows(connection, view, 1, [key, (ORG, "absent"), ("toko-lain", key[1])]) == {key: row}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: str(view.name))
async def test_what_is_copied_is_what_json_makes_of_it(
    connection: Connection, view: View[Row, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(connection, view, 2)
    for generation, way in ((1, JSON), (2, COPY)):
        monkeypatch.setattr(tables, "COPIED_FROM", way)
        await store(connection, one_of(view), view=view, generation=generation)
    cursor = await connection.execute(
        f"select a *= b from {table_of(view, 1)} a cross join {table_of(view, 2)} b"  # byte by byte
    )
    assert await cursor.fetchall() == [(True,)]


@pytest.mark.usefixtures("way")
async def test_a_row_is_replaced_by_a_later_version_only(connection: Connection) -> None:
    await store(connection, product(1, version=2, base_price=20), product(2, version=2, base_price=20))
    await store(connection, product(1, version=1, base_price=10), product(2, version=3, base_price=30), product(3))
    assert await stored(connection) == {"p-1": 20, "p-2": 30, "p-3": 195_000}


@pytest.mark.usefixtures("way")
async def test_a_connection_stores_for_one_generation_after_the_other(connection: Connection) -> None:
    await make(connection, CATALOGUE, 2)
    await store(connection, product(1, base_price=10))
    await store(connection, product(2, base_price=20), generation=2)
    assert await stored(connection) == {"p-1": 10}
    assert await stored(connection, 2) == {"p-2": 20}


@pytest.mark.usefixtures("way")
async def test_what_was_rolled_back_does_not_come_with_the_next_rows(connection: Connection) -> None:
    async with connection.transaction(force_rollback=True):
        await store_rows(connection, CATALOGUE, 1, [product(1)])
    await store(connection, product(2, base_price=20))
    assert await stored(connection) == {"p-2": 20}


@pytest.mark.usefixtures("way")
async def test_rows_are_stored_without_a_transaction_around_as_well(connection: Connection) -> None:
    await store_rows(connection, CATALOGUE, 1, [product(1, base_price=10)])
    assert await stored(connection) == {"p-1": 10}


@pytest.mark.usefixtures("way")
async def test_of_rows_one_of_which_postgresql_cannot_keep_none_is_stored(connection: Connection) -> None:
    with pytest.raises(psycopg.DataError):
        await store(connection, product(1), product(2, name="Kemeja\0"))
    await store(connection, product(3, base_price=30))
    assert await stored(connection) == {"p-3": 30}


async def test_an_edit_needs_no_table_besides_and_a_large_batch_makes_one_of_its_connection(
    connection: Connection,
) -> None:
    async def is_there() -> bool:
        cursor = await connection.execute("select to_regclass('pg_temp.catalogue') is not null")
        return await cursor.fetchone() == (True,)

    await store(connection, product(0))
    assert not await is_there()
    await store(connection, *(product(number) for number in range(tables.COPIED_FROM)))
    assert await is_there()
    assert await (await connection.execute("select count(*) from pg_temp.catalogue")).fetchone() == (0,)
    assert len(await stored(connection)) == tables.COPIED_FROM
