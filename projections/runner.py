"""Live views: a batch of events is coalesced per row, folded onto the rows there are, and stored in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from msgspec import Raw
from msgspec.structs import asdict, astuple
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from domain import events as domain_events
from domain.events import DomainEvent
from domain.messages import RecordedEvent
from domain.values import category_of
from infrastructure.kafka import topics
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.delivery import Lanes
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.checkpoints import generation_for, live_generations
from projections.projection import AnyView, Log, Row, View
from projections.tables import block, load_rows, store_rows

_log: Final = structlog.get_logger(__name__)
_encode: Final = msgspec.json.Encoder().encode
_sql: Final = load(Path(__file__).with_suffix(".sql"))
Pair = tuple[RecordedEvent, DomainEvent]
Key = tuple[str, str]

_FACT_TYPES: Final = (
    *("int8", "text", "text", "int4", "text", "uuid", "text", "int2"),
    "bytea",  # the data: what PostgreSQL sends and takes of a json is its bytes
    *("timestamptz", "timestamptz", "text", "uuid", "uuid", "uuid"),
)
"""Of the fields of a RecordedEvent."""
LIVE: Final = "projections"
"""The consumer that keeps all live views, so that they move together and one position tells of all."""
BATCH: Final = 20_000
"""Records at most, about a second's work: of a backlog, events that share a row are stored as one."""
LANES: Final = Lanes(2)
"""Each row is the fold of one stream, so transactions of different partitions do not meet."""


class Projections:
    """The effect that keeps views. `generations` fixes which ones are written; live ones are looked up otherwise."""

    def __init__(
        self,
        views: Sequence[AnyView],
        *,
        name: str = LIVE,
        generations: Mapping[str, int] | None = None,
        read_topics: Sequence[str] = topics.TOPICS,
    ) -> None:
        self.name = name
        self.topics = tuple(read_topics)
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


def live_runner(views: Sequence[AnyView], pool: Pool, kafka: KafkaSettings) -> Consumer:
    """What keeps the live views, as it runs in an installation."""
    return Consumer(Projections(views), pool, kafka, batch_size=BATCH, lanes=LANES)


async def _fold(connection: AsyncConnection[Any], view: View[Any, Any], generation: int, pairs: Sequence[Pair]) -> None:
    by_key: dict[Key, list[Pair]] = defaultdict(list)
    for pair in pairs:
        identity = view.key_of(*pair)
        if identity is not None:
            by_key[pair[0].org_id, identity].append(pair)
    rows = await load_rows(connection, view, generation, by_key)
    if view.row_per_stream:
        await _fill_gaps(connection, view, rows, by_key)
    changed = []
    for key, found in by_key.items():
        before = rows.get(key)
        first = reached = 0 if before is None else before.version  # folding may change the row itself
        state = None if before is None else view.thaw(before)
        for fact, event in found:
            if fact.version > reached:
                state = view.fold(state, fact, event)
                reached = fact.version
        if state is not None and state.version > first:
            changed.append(view.freeze(state))
    if changed:
        await store_rows(connection, view, generation, changed)


async def _fill_gaps(
    connection: AsyncConnection[Any],
    view: View[Any, Any],
    rows: Mapping[Key, Row],
    by_key: dict[Key, list[Pair]],
) -> None:
    """Where Kafka did not bring the events between a row and its next fact (it had lost them), read the event store."""
    short: dict[Key, tuple[str, int, int]] = {}
    for key, pairs in by_key.items():
        row = rows.get(key)
        first = reached = 0 if row is None else row.version
        for fact, _ in pairs:
            if fact.version > reached + 1:
                short[key] = (fact.stream_id, first, pairs[-1][0].version)
                break
            reached = max(reached, fact.version)
    if not short:
        return
    _log.warning("gaps_filled_from_event_store", view=view.name, streams=len(short))
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            _sql["missing"],
            {
                "orgs": [org for org, _ in short],
                "streams": [stream for stream, _, _ in short.values()],
                "after": [after for _, after, _ in short.values()],
                "up_to": [up_to for _, _, up_to in short.values()],
            },
        )
        stored = [RecordedEvent(**values) for values in await cursor.fetchall()]
    seen: dict[Key, dict[int, Pair]] = {
        key: {fact.version: (fact, event) for fact, event in by_key[key]} for key in short
    }
    for fact in stored:
        event = domain_events.decode(fact.type, fact.schema, fact.data)
        identity = view.key_of(fact, event)
        if identity is not None:
            seen[fact.org_id, identity][fact.version] = (fact, event)
    for key, versions in seen.items():
        by_key[key] = [versions[version] for version in sorted(versions)]


async def _append(connection: AsyncConnection[Any], view: Log, generation: int, facts: Sequence[RecordedEvent]) -> None:
    """Most facts come once: COPY asks of none whether it is there. It fails if one is; then each is asked."""
    try:
        async with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(block(view, "copy", generation)) as copy,
        ):
            copy.set_types(_FACT_TYPES)
            for fact in facts:
                await copy.write_row(astuple(fact))
    except UniqueViolation:
        rows = [{**asdict(fact), "data": Raw(fact.data)} for fact in facts]
        await connection.execute(block(view, "append", generation), {"facts": _encode(rows).decode()})
