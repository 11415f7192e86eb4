"""Connections to PostgreSQL, each under the role of what it is used for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

APP: Final = "syncstore_app"
"""Sees one organisation per transaction."""
WORKER: Final = "syncstore_worker"
"""Sees every organisation; for relay, consumers and rebuilds."""

CONNECT_SECONDS: Final = 5
STATEMENT_MILLISECONDS: Final = 30_000
IDLE_IN_TRANSACTION_MILLISECONDS: Final = 60_000

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def connection_arguments(*, role: str | None, name: str, by_index: bool = False) -> dict[str, Any]:
    """Keyword arguments for a psycopg connection that works as `role` and is seen as `name` in pg_stat_activity.

    `by_index` is for those who work on queues: statistics take an empty moment for an empty table, and a plan made of
    them reads all of it for each row, all that is deleted and not yet cleaned up included.
    """
    options = [
        f"-c statement_timeout={STATEMENT_MILLISECONDS}",
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MILLISECONDS}",
        "-c timezone=UTC",
    ]
    if by_index:
        options.append("-c enable_seqscan=off")
    if role is not None:
        options.append(f"-c role={role}")
    return {
        "autocommit": True,
        "connect_timeout": CONNECT_SECONDS,
        "options": " ".join(options),
        "application_name": name,
    }


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    role: str | None,
    name: str,
    min_size: int = 1,
    max_size: int = 10,
    patience: float = 5.0,
    by_index: bool = False,
) -> AsyncIterator[Pool]:
    """A pool of autocommit connections; `patience` is how many seconds a caller waits for one.

    Opening does not wait for the server: what comes first while it is down fails by itself and says so.
    """
    pool: Pool = AsyncConnectionPool(
        url,
        kwargs=connection_arguments(role=role, name=name, by_index=by_index),
        min_size=min_size,
        max_size=max_size,
        timeout=patience,
        name=name,
        open=False,
        reconnect_timeout=60,
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()
