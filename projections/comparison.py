"""Whether two tables of a view say the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection

from infrastructure.postgres.statements import load
from projections.projection import AnyView, Log
from projections.tables import table_of

_sql: Final = load(Path(__file__).with_suffix(".sql"))
MOST: Final = 100
"""Differences listed; more tell no more."""


class Difference(Struct, frozen=True, kw_only=True):
    """A row that the live table holds otherwise than the other at the same version."""

    key: str
    version: int
    columns: dict[str, tuple[Any, Any]]
    """Column -> (as it is live, as the events say)."""


class Checksum(Struct, frozen=True, kw_only=True):
    rows: int
    digest: str


def statement(name: str, view: AnyView, a: str, b: str = "") -> str:
    """A block of comparison.sql for two tables of a view."""
    keys = "org_id, stream_id, version" if isinstance(view, Log) else f"org_id, {view.key}"
    version = "version as seen" if isinstance(view, Log) else "version"
    text = _sql[name]
    if isinstance(view, Log) and name == "counts":
        text = text.replace("a.version", "a.seen").replace("b.version", "b.seen")
    for place, value in {"keys": keys, "version": version, "a": a, "b": b}.items():
        text = text.replace(f"{{{place}}}", value)
    return text


def differences_of(rows: Iterable[tuple[str, int, str, str]]) -> list[Difference]:
    found = []
    for key, version, left, right in rows:
        ours, theirs = msgspec.json.decode(left), msgspec.json.decode(right)
        columns = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
        found.append(Difference(key=key, version=version, columns=columns))
    return found


async def compare(connection: AsyncConnection[Any], view: AnyView, live: int, other: int) -> list[Difference]:
    """Rows of equal key and version that differ, at most MOST of them. Rows still under way are not differences."""
    text = statement("differences", view, table_of(view, live), table_of(view, other))
    async with connection.transaction():
        await connection.execute("set local statement_timeout = 0")  # tens of millions of rows take their time
        cursor = await connection.execute(text, {"limit": MOST})
        return differences_of(await cursor.fetchall())


async def checksum(connection: AsyncConnection[Any], view: AnyView, generation: int) -> Checksum:
    """Rows and a digest; equal for equal contents."""
    cursor = await connection.execute(statement("checksum", view, table_of(view, generation)))
    row = await cursor.fetchone()
    assert row is not None, "an aggregate always answers one row"
    return Checksum(rows=row[0], digest=row[1])
