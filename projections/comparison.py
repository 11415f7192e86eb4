"""Whether two generations of a view say the same."""

from __future__ import annotations

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
    """A row that one generation holds otherwise than the other at the same version."""

    key: str
    version: int
    columns: dict[str, tuple[Any, Any]]
    """Column -> (as it is live, as the events say)."""


class Checksum(Struct, frozen=True, kw_only=True):
    rows: int
    digest: str


def _keys(view: AnyView) -> str:
    return "org_id, stream_id, version" if isinstance(view, Log) else f"org_id, {view.key}"


async def compare(connection: AsyncConnection[Any], view: AnyView, live: int, other: int) -> list[Difference]:
    """Rows of equal key and version that differ, at most MOST of them. Rows still under way are not differences."""
    keys = _keys(view)
    text = _sql["differences"].replace("{a}", table_of(view, live)).replace("{b}", table_of(view, other))
    cursor = await connection.execute(text.replace("{keys}", keys), {"limit": MOST})
    found = []
    for key, version, left, right in await cursor.fetchall():
        ours, theirs = msgspec.json.decode(left), msgspec.json.decode(right)
        columns = {name: (ours[name], theirs[name]) for name in ours if ours[name] != theirs[name]}
        found.append(Difference(key=key, version=version, columns=columns))
    return found


async def checksum(connection: AsyncConnection[Any], view: AnyView, generation: int) -> Checksum:
    """Rows and a digest; equal for equal contents."""
    cursor = await connection.execute(_sql["checksum"].replace("{a}", table_of(view, generation)))
    row = await cursor.fetchone()
    assert row is not None, "an aggregate always answers one row"
    return Checksum(rows=row[0], digest=row[1])
