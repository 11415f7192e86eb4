"""Numbered SQL files bring a database to the schema of this version, forward only, one transaction each.

The code of the version before must still run on the schema after: a file only adds, or removes what nobody uses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from infrastructure.postgres.errors import MigrationRefused, translated

FOLDER: Final = Path(__file__).with_name("migrations")
LOCK: Final = 0x53594E43  # "SYNC": whoever holds it migrates this database
LOCK_SECONDS: Final = 10
STATEMENT_SECONDS: Final = 300
REGISTER_CLUSTER: Final = """
    insert into clusters (system_identifier, first_position)
    select system_identifier::text, nextval('event_position') from pg_control_system()
    on conflict do nothing
"""
"""After a restore into another cluster, what is there is told from what will be written."""
_FILE: Final = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> Sequence[Migration]:
    """The files in order. Numbers may leave room between areas.

    Raises MigrationRefused for a strange file name or a number used twice.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationRefused(f"{path.name} is not named like 0001_event_store.sql")
        number = int(match["number"])
        if number in found:
            raise MigrationRefused(f"{path.name} and {found[number].name}.sql have the same number")
        found[number] = Migration(number, path.stem, path.read_text(encoding="utf-8"))
    return list(found.values())


async def migrate(url: str, *, folder: Path = FOLDER, up_to: int | None = None) -> list[str]:
    """Apply what is missing and name it; two that migrate at once apply it once.

    Raises MigrationRefused, DatabaseUnavailable.
    """
    applied = []
    with translated():
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
            await connection.execute("select pg_advisory_lock(%s)", (LOCK,))
            for migration in await _missing(connection, folder):
                if up_to is None or migration.number <= up_to:
                    await _apply(connection, migration)
                    applied.append(migration.name)
            await connection.execute(REGISTER_CLUSTER)
    return applied


async def pending(url: str, *, folder: Path = FOLDER) -> list[str]:
    """The migrations that this version of the code has and the database has not.

    Raises MigrationRefused, DatabaseUnavailable.
    """
    with translated():
        async with await AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection:
            return [migration.name for migration in await _missing(connection, folder)]


async def _missing(connection: AsyncConnection[Any], folder: Path) -> list[Migration]:
    known = migrations(folder)
    await connection.execute(
        "create table if not exists schema_migrations ("
        "number integer primary key, name text not null, checksum text not null, "
        "applied_at timestamptz not null default now())"
    )
    cursor = await connection.execute("select number, name, checksum from schema_migrations order by number")
    done = {number: (name, checksum) for number, name, checksum in await cursor.fetchall()}
    numbers = {migration.number for migration in known}
    if newer := [name for number, (name, _) in done.items() if number not in numbers]:
        raise MigrationRefused(
            f"the database has migrations that this version does not know ({', '.join(newer)}): "
            "it was migrated by a newer SyncStore; run that version"
        )
    for migration in known:
        if migration.number in done and done[migration.number][1] != migration.checksum:
            raise MigrationRefused(
                f"{migration.name}.sql was changed after it had been applied; put it back and write a new migration"
            )
    return [migration for migration in known if migration.number not in done]


async def _apply(connection: AsyncConnection[Any], migration: Migration) -> None:
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute(f"set local statement_timeout = '{STATEMENT_SECONDS}s'")
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (number, name, checksum) values (%s, %s, %s)",
                (migration.number, migration.name, migration.checksum),
            )
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationRefused(
            f"{migration.name}: {error.diag.message_primary}. "
            "Migrate as a user who owns the database and has CREATEROLE"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationRefused(
            f"{migration.name} waited {LOCK_SECONDS} s for a lock that somebody holds; nothing was changed, try again"
        ) from error
