"""What there is of each view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from psycopg.rows import class_row

from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.projection import AnyView
from projections.reading import Freshness, freshness_now
from projections.registry import VIEWS

_sql: Final = load(Path(__file__).with_suffix(".sql"))


class GenerationStatus(Struct, frozen=True, kw_only=True):
    view: str
    generation: int
    shape: int
    state: str
    """"building", "live" or "retired"."""
    started_at: datetime
    live_at: datetime | None
    events: int | None
    """Read from the event store to make it; None until it is live."""
    bytes: int | None
    rows: int | None
    """As the database estimates."""
    expected: int
    """Events to read, counted when the fill began."""
    filled: int


class ViewStatus(Struct, frozen=True, kw_only=True):
    name: str
    shape: int
    """That this version of the code writes."""
    generations: tuple[GenerationStatus, ...]
    freshness: Freshness

    @property
    def live(self) -> GenerationStatus | None:
        return next((found for found in self.generations if found.state == "live"), None)

    @property
    def needs_rebuild(self) -> bool:
        return self.live is None or self.live.shape != self.shape


async def list_views(pool: Pool, views: Sequence[AnyView] = VIEWS) -> list[ViewStatus]:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(GenerationStatus)) as cursor:
        await cursor.execute(_sql["views"])
        found = await cursor.fetchall()
    freshness = await freshness_now(pool)
    return [
        ViewStatus(
            name=view.name,
            shape=view.shape,
            generations=tuple(generation for generation in found if generation.view == view.name),
            freshness=freshness,
        )
        for view in views
    ]
