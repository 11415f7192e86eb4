"""Whether a database can be worked with, asked once before an operation, so that the answer names the cause.

A pool tells only that it got no connection in time; why, it logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.errors import DatabaseUnavailable, NotMigrated, RoleDenied
from infrastructure.postgres.pool import APP, WORKER, connection_arguments

STATE: Final = """
    select to_regclass('schema_migrations') is not null,
        array(select rolname::text from pg_roles where rolname = any(%(roles)s)),
        array(
            select rolname::text from pg_roles
            where rolname = any(%(roles)s) and not pg_has_role(current_user, oid, 'member')
        ),
        current_user::text
"""
"""Is it migrated, which roles are there, which of them may this user not take, and who is it."""


def place_of(url: str) -> str:
    """host:port/database, without user and password.

    Raises psycopg's ProgrammingError for what is not an address.
    """
    parts = conninfo_to_dict(url)
    hosts = str(parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
    ports = str(parts.get("port") or "").split(",")
    ports += ports[-1:] * (len(hosts) - len(ports))  # one port may stand for all
    servers = ",".join(f"{host}:{port or 5432}" for host, port in zip(hosts, ports, strict=False))
    return f"{servers}/{parts.get('dbname') or parts.get('user') or ''}"


async def check_database(url: str, *, roles: Sequence[str] = (APP, WORKER)) -> None:
    """Return when the database answers, was migrated, and its user may work as `roles`.

    Raises DatabaseUnavailable, NotMigrated, RoleDenied.
    """
    place = place_of(url)
    try:
        connecting = AsyncConnection.connect(url, **connection_arguments(role=None, name="syncstore-check"))
        async with await connecting as connection:
            cursor = await connection.execute(STATE, {"roles": list(roles)})
            row = await cursor.fetchone()
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        raise DatabaseUnavailable(
            f"PostgreSQL at {place} cannot be reached; is it running, and is SYNCSTORE_DATABASE_URL right? ({reason})"
        ) from error
    assert row is not None, "a select without from answers one row"
    migrated, there, denied, user = row
    if not migrated or len(there) < len(roles):
        raise NotMigrated(f"the database at {place} has no schema of SyncStore yet; run: syncstore migrate")
    if denied:
        raise RoleDenied(
            f"user {user} of the database at {place} may not work as {', '.join(denied)}; "
            f"let its owner run: grant {', '.join(denied)} to {user}"
        )
