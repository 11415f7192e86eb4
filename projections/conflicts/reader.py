"""Conflicts, open and resolved. Pages go by the position of detection, which never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from domain.values import Platform
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.conflicts.projector import ConflictRow
from projections.reading import Answer, Page, cursor_of, marks_of, page_of, read

_sql: Final = load(Path(__file__).with_name("conflicts.sql"))


class ConflictEntry(ConflictRow, kw_only=True):
    connection_id: str | None = None
    platform: Platform | None = None
    """Of the listing; None while that has not been applied."""


async def list_conflicts(
    pool: Pool,
    org_id: str,
    *,
    status: Literal["open", "resolved"] | None = "open",
    connection_id: str | None = None,
    product_id: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[ConflictEntry]:
    """A page of conflicts.

    Raises InvalidCursor.
    """
    (before,) = marks_of(cursor, tuple[int]) if cursor else (None,)
    values = {
        "status": status,
        "connection_id": connection_id,
        "product_id": product_id,
        "before": before,
        "limit": limit + 1,
    }
    rows, freshness = await read(pool, org_id, _sql["page"], values, ConflictEntry)
    return page_of(rows, limit, freshness, cursor_of(rows[:limit][-1].detected_position) if rows else None)


async def read_conflict(pool: Pool, org_id: str, conflict_id: str) -> Answer[ConflictEntry]:
    rows, freshness = await read(pool, org_id, _sql["conflict"], {"conflict_id": conflict_id}, ConflictEntry)
    return Answer(found=rows[0] if rows else None, freshness=freshness)
