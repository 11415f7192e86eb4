import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.messages import Appended, VersionMoved
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres import migrate as module
from infrastructure.postgres.errors import DatabaseUnavailable, MigrationRefused
from infrastructure.postgres.migrate import FOLDER, migrate, migrations, pending
from infrastructure.postgres.pool import APP, WORKER, open_pool
from tests.contracts.event_store_contract import ORG, SKU, append, key
from tests.plugins.postgres import fresh_database

NAMES = [migration.name for migration in migrations()]

CATALOGUE = """
select 'column', table_schema || '.' || table_name || '.' || column_name,
    concat_ws(' ', data_type, collation_name, is_nullable, column_default, ordinal_position)
from information_schema.columns where table_schema in ('public', 'projections')
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace in ('public'::regnamespace, 'projections'::regnamespace)
union all
select 'index', indexname, indexdef from pg_indexes where schemaname in ('public', 'projections')
union all
select 'policy', tablename || '.' || policyname, concat_ws(' ', roles, cmd, qual, with_check) from pg_policies
union all
select 'relation', oid::regclass::text,
    concat_ws(' ', relkind, relacl, reloptions, relrowsecurity, relforcerowsecurity, obj_description(oid))
from pg_class where relnamespace in ('public'::regnamespace, 'projections'::regnamespace)
union all
select 'function', proc.oid::regprocedure::text, concat_ws(' ', proacl, prosecdef, proconfig, prosrc) from pg_proc proc
where pronamespace = 'public'::regnamespace and not exists (
    select from pg_depend where objid = proc.oid and deptype = 'e'
)
union all
select 'schema', nspname, nspacl::text from pg_namespace where nspname in ('public', 'projections')
union all
select 'migration', name, checksum from schema_migrations
"""


def catalogue(url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(CATALOGUE).fetchall())


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations to change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "migrations"))


async def test_migrating_step_by_step_equals_installing(empty_database: str, database_url: str) -> None:
    for migration in migrations():
        assert await migrate(empty_database, up_to=migration.number) == [migration.name]
    assert await pending(empty_database) == []
    installed = catalogue(database_url)
    assert catalogue(empty_database) == installed
    assert len(installed) > 100


async def test_a_second_time_there_is_nothing_to_do(database_url: str) -> None:
    before = catalogue(database_url)
    assert await pending(database_url) == []
    assert await migrate(database_url) == []
    assert catalogue(database_url) == before


async def test_four_that_migrate_at_once_apply_each_file_once(empty_database: str) -> None:
    assert await pending(empty_database) == NAMES
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == NAMES


async def test_workers_may_make_tables_of_their_session_where_not_everybody_may(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("revoke temporary on database {} from public").format(name))
    await migrate(empty_database)
    for role, may in ((WORKER, True), (APP, False)):
        with psycopg.connect(empty_database) as connection:
            found = connection.execute("select has_database_privilege(%s, current_database(), 'temporary')", [role])
            assert found.fetchone() == (may,)


async def test_this_application_runs_on_the_schema_of_the_next_version(database_url: str, folder: Path) -> None:
    (folder / "9000_next.sql").write_text("""
        alter table events add column reviewed_by text;
        alter table streams add column archived_at timestamptz;
        alter table idempotency_keys add column note text not null default '';
        create table next_thing (id integer primary key);
    """)
    assert await migrate(database_url, folder=folder) == ["9000_next"]
    async with open_pool(database_url, role=APP, name="tests") as pool:
        store = PostgresEventStore(pool)
        first = await store.append(ORG, append(claims=(SKU,), idempotency=key()))
        assert isinstance(first, Appended)
        assert await store.append(ORG, append()) == VersionMoved(0, 1)
        assert (await store.append_many(ORG, [append("product-2", events=2)]))[0] == Appended(2, first.position + 2)
        assert len(await store.read_stream(ORG, "product-2")) == 2
        assert await store.owner_of(ORG, [SKU]) == {SKU: "product-1"}


async def test_a_file_changed_after_it_was_applied_is_refused(database_url: str, folder: Path) -> None:
    changed = folder / f"{NAMES[1]}.sql"
    changed.write_text(changed.read_text() + "\n-- A harmless remark.\n")
    for act in (migrate, pending):
        with pytest.raises(MigrationRefused, match=rf"{NAMES[1]}\.sql was changed after it had been applied"):
            await act(database_url, folder=folder)


async def test_a_database_of_a_newer_version_is_refused(database_url: str, folder: Path) -> None:
    (folder / f"{NAMES[-1]}.sql").unlink()
    with pytest.raises(MigrationRefused, match=rf"does not know \({NAMES[-1]}\).*run that version"):
        await migrate(database_url, folder=folder)


async def test_a_migration_that_fails_leaves_nothing_of_itself(database_url: str, folder: Path) -> None:
    (folder / "9000_next.sql").write_text("create table half (id integer); select 1 / 0;")
    before = catalogue(database_url)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await migrate(database_url, folder=folder)
    assert catalogue(database_url) == before
    assert await pending(database_url, folder=folder) == ["9000_next"]


async def test_a_lock_that_somebody_holds_is_not_waited_for_long(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    (folder / "9000_next.sql").write_text("alter table events add column reviewed_by text;")
    async with await psycopg.AsyncConnection.connect(database_url) as reader:
        await reader.execute("select count(*) from events")
        with pytest.raises(MigrationRefused, match=r"9000_next waited 1 s for a lock.*nothing was changed, try again"):
            await migrate(database_url, folder=folder)
    assert await migrate(database_url, folder=folder) == ["9000_next"]


def test_strange_and_repeated_numbers_are_refused(folder: Path) -> None:
    (folder / "0002_again.sql").write_text("select 1;")
    with pytest.raises(MigrationRefused, match=r"0002_append\.sql and 0002_again\.sql have the same number"):
        migrations(folder)
    (folder / "0002_again.sql").rename(folder / "x.sql")
    with pytest.raises(MigrationRefused, match=r"x\.sql is not named like 0001_event_store\.sql"):
        migrations(folder)


async def test_who_may_not_make_roles_is_told_so(empty_database: str) -> None:
    login = f"login_{conninfo_to_dict(empty_database)['dbname']}"
    name = sql.Identifier(login)
    with psycopg.connect(empty_database, autocommit=True) as owner:
        owner.execute(sql.SQL("create role {} login password 'x'").format(name))
        owner.execute(sql.SQL("grant all on schema public to {}").format(name))
        try:
            with pytest.raises(MigrationRefused, match=r"0001_event_store: .*Migrate as a user who .* has CREATEROLE"):
                await migrate(make_conninfo(empty_database, user=login, password="x"))
        finally:
            owner.execute(sql.SQL("drop owned by {}").format(name))
            owner.execute(sql.SQL("drop role {}").format(name))


async def test_a_server_that_is_not_there_is_named_as_such(postgres_url: str) -> None:
    for url in (make_conninfo(postgres_url, port=1), make_conninfo(postgres_url, dbname="nowhere")):
        with pytest.raises(DatabaseUnavailable, match="PostgreSQL does not answer") as failure:
            await migrate(url)
        assert isinstance(failure.value.__cause__, psycopg.OperationalError)


async def test_of_two_claims_of_one_shop_the_one_that_is_worked_at_stays(empty_database: str) -> None:
    await migrate(empty_database, up_to=51)
    with psycopg.connect(empty_database) as connection:
        for org in ("a", "b", "c"):
            connection.execute("insert into claims values (%s, 'shop', 'shopee:77', 'connection-SHP')", (org,))
            connection.execute("insert into claims values (%s, 'sku', 'btk', 'product-1')", (org,))
        connection.execute(
            "insert into shop_lanes (org_id, connection_id, platform, shop_id) values ('b', 'SHP', 'shopee', '77')"
        )
    await migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        kept = connection.execute("select kind, org_id from claims order by 1, 2").fetchall()
    assert kept == [("shop", "b"), ("sku", "a"), ("sku", "b"), ("sku", "c")]
