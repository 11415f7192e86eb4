"""How readers ask: one round trip under the organisation's own sight, rows with the position they are at, pages.

`Freshness.position` is taken before the rows, so the rows are at least as new as it says. Facts of different products
travel in different partitions: of the partitions that have records waiting the lowest mark counts, for what is at or
below that mark has been applied everywhere, as far as Kafka had it when the lag was measured. What exactly one stream
has reached is asked with `wait_until`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from domain.errors import Refusal
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as
from infrastructure.postgres.statements import load
from projections.runner import LIVE

_sql: Final = load(Path(__file__).with_suffix(".sql"))
_SHORTEST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.05
T = TypeVar("T")


class InvalidCursor(Refusal):
    code = "cursor_invalid"
    remedy = "Take the cursor from the page before, with the same search, or begin without one."


class Freshness(Struct, frozen=True, kw_only=True):
    position: int
    lag: int
    """Records in Kafka that were not applied when last measured."""
    moved_at: datetime | None
    """When the views last moved."""
    measured_at: datetime | None
    """When the lag was measured; None before the first consumer has started."""
    anything_set_aside: bool
    """Of whatever organisation; `projections.set_aside` tells of which keys."""


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    items: tuple[T, ...]
    next_cursor: str | None
    """None on the last page."""
    freshness: Freshness


class Answer(Struct, Generic[T], frozen=True, kw_only=True):
    found: T | None
    freshness: Freshness


_freshness_of: Final = msgspec.json.Decoder(Freshness).decode


async def read(
    pool: Pool, org_id: str, statement: str, values: Mapping[str, Any], shape: type[T]
) -> tuple[list[T], Freshness]:
    """The rows of a statement as `shape`, and how fresh they are. `%(org_id)s` is given to the statement."""
    text = f"select coalesce(json_agg(q), '[]')::text from ({statement}) q"  # noqa: S608  # of our own .sql files
    freshness, found = await first_rows(
        pool, org_id, (_sql["freshness"], {"consumer": LIVE}), (text, {**values, "org_id": org_id})
    )
    assert freshness is not None, "an aggregate always answers one row"
    assert found is not None, "an aggregate always answers one row"
    return msgspec.json.decode(found[0], type=list[shape]), _freshness_of(freshness[0])  # type: ignore[valid-type]  # a type made at run time


async def first_rows(pool: Pool, org_id: str, *asked: tuple[str, Mapping[str, Any]]) -> list[tuple[Any, ...] | None]:
    """The first row of each statement, under the organisation's own sight and in one round trip: until the end of a
    pipeline all is one transaction, which begins and ends without being told to.
    """
    async with pool.connection() as connection:
        async with connection.pipeline():
            await see_as(connection, org_id)
            cursors = [await connection.execute(statement, values) for statement, values in asked]
        return [await cursor.fetchone() for cursor in cursors]


def page_of(rows: Sequence[T], limit: int, freshness: Freshness, cursor_after: str | None) -> Page[T]:
    """A page of `limit` of the rows; there was asked for one more, to know whether the page is the last."""
    more = len(rows) > limit
    return Page(items=tuple(rows[:limit]), next_cursor=cursor_after if more else None, freshness=freshness)


def cursor_of(*marks: int | str) -> str:
    """Where a page ended, as text that callers hand back and do not look into."""
    return base64.urlsafe_b64encode(msgspec.json.encode(marks)).decode().rstrip("=")


def marks_of(cursor: str, shape: type[T]) -> T:
    """What `cursor_of` was given.

    Raises InvalidCursor.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=shape)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("this cursor was not made by this list", cursor=cursor) from error


async def freshness_now(pool: Pool) -> Freshness:
    async with pool.connection() as connection:
        cursor = await connection.execute(_sql["freshness"], {"consumer": LIVE})
        row = await cursor.fetchone()
    assert row is not None, "an aggregate always answers one row"
    return _freshness_of(row[0])


async def wait_until(pool: Pool, org_id: str, stream_id: str, position: int, *, patience: float) -> bool:
    """Whether the views show a product's, stock's or listing's stream up to `position` within `patience` seconds.

    `position` is what a command answered for that stream. All views move in one transaction, so what holds for one
    holds for all; every list that is read afterwards shows it too. False may mean a lagging consumer or a parked key.
    """
    deadline = time.monotonic() + patience
    pause = _SHORTEST_PAUSE
    while True:
        asked = {"org_id": org_id, "stream_id": stream_id, "position": position}
        (row,) = await first_rows(pool, org_id, (_sql["reached"], asked))
        if row == (True,):
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
