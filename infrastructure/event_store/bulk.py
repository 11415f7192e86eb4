"""Many streams' events in one transaction: the appends cut into statements that are sent ahead of their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor

from domain.messages import Append, Outcome
from infrastructure.event_store import statement
from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("append.sql"))

MOST_APPENDS: Final = 1000
MOST_BYTES: Final = 2 * 1024 * 1024
"""Of one statement. It bounds memory on both sides; larger statements are not faster."""
AHEAD: Final = 2
"""Statements under way: the next is encoded here while the server works on the last."""


def portions(appends: Iterable[Append]) -> Iterator[list[Append]]:
    """The appends in order, cut where a statement is full or two would contend for a stream, key or claim."""
    portion: list[Append] = []
    marks: set[tuple[str, ...]] = set()
    size = 0
    for append in appends:
        wanted, bytes_more = statement.marks(append), statement.size(append)
        full = len(portion) == MOST_APPENDS or size + bytes_more > MOST_BYTES
        if portion and (full or not marks.isdisjoint(wanted)):
            yield portion
            portion, marks, size = [], set(), 0
        portion.append(append)
        marks |= wanted
        size += bytes_more
    if portion:
        yield portion


async def append_many(connection: AsyncConnection[Any], org_id: str, appends: Sequence[Append]) -> list[Outcome]:
    """One outcome each, in order. Streams are locked in order of their ids, as everywhere."""
    order = sorted(range(len(appends)), key=lambda number: appends[number].stream_id)
    found: list[Outcome] = []
    waiting: deque[tuple[list[Append], AsyncCursor[Any]]] = deque()
    async with connection.transaction(), connection.pipeline():
        for portion in portions(appends[number] for number in order):
            cursor = connection.cursor(binary=True)
            await cursor.execute(SQL["append_commands"], statement.parameters(org_id, portion), prepare=True)
            waiting.append((portion, cursor))
            if len(waiting) == AHEAD:
                found += await _answers(waiting)
        while waiting:
            found += await _answers(waiting)
    return [outcome for _, outcome in sorted(zip(order, found, strict=True), key=lambda pair: pair[0])]


async def _answers(waiting: deque[tuple[list[Append], AsyncCursor[Any]]]) -> list[Outcome]:
    portion, cursor = waiting.popleft()
    return statement.outcomes(portion, await cursor.fetchall())
