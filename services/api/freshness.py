"""Reading one's own writes: a read may ask the views to have come as far as a position that a command answered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from domain.values import category_of
from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool
from projections.history.projector import HISTORY
from projections.reading import Freshness, first_rows, freshness_now, wait_until
from projections.set_aside import set_aside_of
from services.api.problems import Problem

SQL: Final = statements.load(Path(__file__).with_name("freshness.sql"))

Position = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=10)]

_PAUSE: Final = 0.02


class Awaited(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Parameters of every read."""

    min_position: Position = 0
    max_wait: Seconds = 2.0


class At(Struct, frozen=True, kw_only=True):
    """How far the views were when something was read. `lag` counts events published and not yet applied."""

    position: int
    lag: int


def at(freshness: Freshness) -> At:
    return At(position=freshness.position, lag=freshness.lag)


def headers_of(freshness: Freshness) -> dict[str, str]:
    return {"x-position": str(freshness.position), "x-lag": str(freshness.lag)}


async def reach(pool: Pool, org_id: str, wanted: Awaited) -> None:
    """Wait until the views show the event at `min_position`, and all that its stream had before.

    Raises Problem (position_not_reached) when `max_wait` seconds were not enough.
    """
    if wanted.min_position == 0:
        return
    stream, key = await _stream_at(pool, org_id, wanted.min_position)
    if stream is not None and category_of(stream) in HISTORY.categories:
        reached = await wait_until(pool, org_id, stream, wanted.min_position, patience=wanted.max_wait)
    else:
        reached = await _wait_for_mark(pool, wanted)
    if not reached:
        raise await _not_reached(pool, org_id, wanted, key)


async def _not_reached(pool: Pool, org_id: str, wanted: Awaited, key: str | None) -> Problem:
    """Says so when waiting longer would not help."""
    freshness = await freshness_now(pool)
    late = f"the views have not reached position {wanted.min_position} within {wanted.max_wait:g} s"
    facts: dict[str, Any] = {"position": freshness.position, "min_position": wanted.min_position}
    if key is not None and (parts := await set_aside_of(pool, org_id, key, freshness)):
        facts["set_aside"] = [part.by for part in parts]
        late += f"; {' and '.join(facts['set_aside'])} will not go on with it until the technical team releases it"
    return Problem("position_not_reached", late, **facts)


async def _stream_at(pool: Pool, org_id: str, position: int) -> tuple[str | None, str | None]:
    """The stream of an event and the key it is ordered by."""
    (row,) = await first_rows(pool, org_id, (SQL["stream_at"], {"org_id": org_id, "position": position}))
    return (None, None) if row is None else (str(row[0]), str(row[1]))


async def _wait_for_mark(pool: Pool, wanted: Awaited) -> bool:
    """For positions of streams that no view keeps, and of other organisations: the mark that all views are at."""
    deadline = time.monotonic() + wanted.max_wait
    while (await freshness_now(pool)).position < wanted.min_position:
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_PAUSE)
    return True
