"""What goes wrong with the database, in our own words.

SyncStoreError
└── DatabaseError
    ├── DatabaseUnavailable     cannot be reached, is starting or shutting down; the same call may succeed later
    ├── MigrationRefused        the schema cannot be brought to this version
    ├── NotMigrated             the schema is missing, or an older one
    └── RoleDenied              the user may not work as the roles of SyncStore
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from domain.errors import SyncStoreError, Transient


class DatabaseError(SyncStoreError):
    """Root of what the database adapters raise."""


class DatabaseUnavailable(DatabaseError, Transient):
    """PostgreSQL does not answer. Nothing is known to have been stored by the call that raised it."""


class MigrationRefused(DatabaseError):
    """The message says which migration and what to do."""


_UNAVAILABLE: Final = ("08", "53", "57P", "58")
"""SQLSTATE classes: connection lost, no resources, shutting down or starting, system error. The driver's class for
these also holds deadlocks and time-outs, which are answers of a server that is there.
"""


class NotMigrated(DatabaseError):
    """The message names the command that brings the schema."""


class RoleDenied(DatabaseError):
    """The message says what to grant."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise DatabaseUnavailable, with the driver's error as its cause, where the server cannot be had."""
    try:
        yield
    except (PoolTimeout, PoolClosed, psycopg.OperationalError, psycopg.InterfaceError) as error:
        if error.sqlstate and not error.sqlstate.startswith(_UNAVAILABLE):
            raise
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer: {str(error).strip() or type(error).__name__}"
        ) from error
