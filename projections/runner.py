"""Live views: a batch of events is coalesced per row, folded onto the rows as they are, and stored, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from psycopg import AsyncConnection

from domain import events as domain_events
from domain.events import DomainEvent
from domain.messages import RecordedEvent
from domain.values import category_of
from infrastructure.kafka import topics
from infrastructure.postgres.statements import load
from projections.checkpoints import generation_for, live_generations
from projections.projection import AnyView, Log, Row, View
from projections.tables import block, load_rows, store_rows

_log: Final = structlog.get_logger(__name__)
_sql: Final = load(Path(__file__).with_suffix(".sql"))
R = TypeVar("R", bound=Row)
Pair = tuple[RecordedEvent, DomainEvent]

LIVE: Final = "projections"
"""The consumer that keeps all live views, so that they move together and one position tells of all."""


class Projections:
    """The effect that keeps views. `generations` fixes which ones are written; live ones are looked up otherwise."""

    def __init__(
        self, views: Sequence[AnyView], *, name: str = LIVE, generations: Mapping[str, int] | None = None
    ) -> None:
        self.name = name
        self.topics = tuple(topics.TOPICS)
        self._views = tuple(views)
        self._generations = generations

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:
        generations = self._generations
        if generations is None:
            live = await live_generations(connection)
            generations = {view.name: generation_for(view, live) for view in self._views}
        by_category: dict[str, list[Pair]] = defaultdict(list)
        for fact in events:
            event = domain_events.decode(fact.type, fact.schema, fact.data)
            by_category[category_of(fact.stream_id)].append((fact, event))
        for view in self._views:
            pairs = [pair for category in view.categories for pair in by_category.get(category, ())]
            if not pairs:
                continue
            generation = generations[view.name]
            if isinstance(view, Log):
                await _append(connection, view, generation, [fact for fact, _ in pairs])
            else:
                await _fold(connection, view, generation, pairs)


async def _fold(connection: AsyncConnection[Any], view: View[R], generation: int, pairs: Sequence[Pair]) -> None:
    by_key: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        key = view.key_of(*pair)
        if key is not None:
            by_key[pair[0].org_id, key].append(pair)
    rows = await load_rows(connection, view, generation, by_key)
    if view.row_per_stream:
        await _fill_gaps(connection, view, rows, by_key)
    changed: list[R] = []
    for key, found in by_key.items():
        row = rows.get(key)
        before = row.version if row is not None else 0
        for fact, event in found:
            if row is None or fact.version > row.version:
                row = view.fold(row, fact, event)
        if row is not None and row.version > before:
            changed.append(row)
    if changed:
        await store_rows(connection, view, generation, changed)


async def _fill_gaps(
    connection: AsyncConnection[Any],
    view: View[R],
    rows: Mapping[tuple[str, str], R],
    by_key: dict[tuple[str, str], list[Pair]],
) -> None:
    """Where Kafka did not bring the events between a row and its next fact (it had lost them), read the event store."""
    short: dict[tuple[str, str], tuple[int, int]] = {}
    for key, pairs in by_key.items():
        row = rows.get(key)
        reached = row.version if row is not None else 0
        for fact, _ in pairs:
            if fact.version > reached + 1:
                short[key] = (row.version if row is not None else 0, pairs[-1][0].version)
                break
            reached = max(reached, fact.version)
    if not short:
        return
    _log.warning("gaps_filled_from_event_store", view=view.name, streams=len(short))
    cursor = await connection.execute(
        _sql["missing"],
        {
            "orgs": [org for org, _ in short],
            "streams": [by_key[key][0][0].stream_id for key in short],
            "after": [after for after, _ in short.values()],
            "up_to": [up_to for _, up_to in short.values()],
        },
    )
    names = [column.name for column in cursor.description or ()]
    found: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for values in await cursor.fetchall():
        fact = RecordedEvent(**dict(zip(names, values, strict=True)))
        event = domain_events.decode(fact.type, fact.schema, fact.data)
        key = view.key_of(fact, event)
        if key is not None:
            found[fact.org_id, key].append((fact, event))
    for key, stored in found.items():
        seen = {fact.version: (fact, event) for fact, event in (*stored, *by_key[key])}
        by_key[key] = [seen[version] for version in sorted(seen)]


async def _append(connection: AsyncConnection[Any], view: Log, generation: int, facts: Sequence[RecordedEvent]) -> None:
    names = tuple(name for name in RecordedEvent.__struct_fields__ if name != "data")
    values: dict[str, list[Any]] = {name: [getattr(fact, name) for fact in facts] for name in names}
    values["data"] = [fact.data.decode() for fact in facts]
    await connection.execute(block(view, "append", generation), values)
