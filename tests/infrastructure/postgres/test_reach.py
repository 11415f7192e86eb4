from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infrastructure.postgres.errors import DatabaseUnavailable, NotMigrated, RoleDenied
from infrastructure.postgres.reach import check_database, place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://sari:rahasia@db:6432/toko", "db:6432/toko"),
        ("postgresql://sari:rahasia@db1,db2/toko", "db1:5432,db2:5432/toko"),
        ("host=/run/postgresql user=sari password=rahasia", "/run/postgresql:5432/sari"),
        ("postgresql://[::1]:5433/toko", "::1:5433/toko"),
    ],
)
def test_a_place_is_told_without_secrets(url: str, place: str) -> None:
    assert place_of(url) == place


async def test_a_migrated_database_is_good(database_url: str) -> None:
    await check_database(database_url)


async def test_missing_roles_are_told_as_a_missing_migration(database_url: str) -> None:
    with pytest.raises(NotMigrated, match="syncstore migrate"):
        await check_database(database_url, roles=("syncstore_app", f"role_{uuid.uuid4().hex}"))


async def test_a_database_that_does_not_exist_is_told_with_the_servers_words(database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match='database "nothing_of_ours" does not exist'):
        await check_database(make_conninfo(database_url, dbname="nothing_of_ours"))


async def test_a_user_who_may_not_take_a_role_is_told_what_to_grant(database_url: str) -> None:
    user = f"guest_{uuid.uuid4().hex[:8]}"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute(f"create role {user} login password 'x'")
        try:
            with pytest.raises(RoleDenied, match=f"grant syncstore_worker to {user}"):
                await check_database(make_conninfo(database_url, user=user, password="x"), roles=("syncstore_worker",))
        finally:
            await owner.execute(f"drop role {user}")
