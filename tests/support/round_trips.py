"""How often a client hands over to the server, by the trace of its own library."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path

from infrastructure.postgres.pool import Pool

HANDED_OVER = {("F", "Sync"), ("F", "Query")}


async def round_trips(pool: Pool, folder: Path, work: Awaitable[object]) -> int:
    """Of a pool with one connection."""
    assert pool.max_size == 1
    with (folder / "trace").open("w") as trace:
        async with pool.connection() as connection:
            connection.pgconn.trace(trace.fileno())
        await work
        async with pool.connection() as connection:
            connection.pgconn.untrace()
    lines = [line.split("\t") for line in (folder / "trace").read_text().splitlines()]
    messages = [(line[1], line[3]) for line in lines if len(line) > 3]
    return sum(message in HANDED_OVER for message in messages)
