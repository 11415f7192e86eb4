"""Filling a generation from the event store, one bucket of streams at a time. Runs in processes of its own.

A bucket is one transaction: read in one statement, fold in memory, copy the rows in, mark the bucket. A fill that was
killed anywhere therefore leaves each bucket either done or untouched.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from msgspec import Raw, Struct
from msgspec.structs import astuple
from psycopg import Connection
from psycopg.types.json import set_json_dumps

from domain import events as domain_events
from domain.errors import BrokenHistory
from infrastructure.postgres.pool import connection_arguments
from infrastructure.postgres.statements import load
from projections.projection import AnyView, Log, Row, View
from projections.tables import COLUMN_TYPES, block, copy_in, table_of

_sql: Final = load(Path(__file__).with_name("rebuild.sql"))
_encode: Final = msgspec.json.Encoder().encode


class Source(NamedTuple):
    """Where the events are. `role` is taken on connecting."""

    url: str
    role: str | None


class StoredFact(Struct, array_like=True, gc=False):
    """An event as `streams_of` sends it; what the whole stream shares is filled in afterwards."""

    version: int
    position: int
    type: str
    schema: int
    occurred_at: datetime
    data: Raw
    org_id: str = ""
    stream_id: str = ""
    partition_key: str = ""


_decode: Final = msgspec.json.Decoder(list[StoredFact]).decode


def connect(source: Source, name: str) -> Connection[Any]:
    """A connection for work that may take long."""
    connection: Connection[Any] = psycopg.connect(source.url, **connection_arguments(role=source.role, name=name))
    connection.execute("set statement_timeout = 0")
    connection.execute("set idle_in_transaction_session_timeout = 0")
    return connection


def fill(source: Source, view: AnyView, generation: int) -> Iterator[int]:
    """Fill buckets until none is left to take; yields how many events each held."""
    with connect(source, f"syncstore-rebuild-{view.name}") as connection:
        while (events := _fill_next(connection, view, generation)) is not None:
            yield events


@contextmanager
def _without_cycles() -> Iterator[None]:
    """Folding makes many objects and no cycles: the collector would only look through them, again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _fill_next(connection: Connection[Any], view: AnyView, generation: int) -> int | None:
    place = {"view": view.name, "generation": generation}
    with connection.transaction(), _without_cycles():
        taken = connection.execute(_sql["take_bucket"], place).fetchone()
        if taken is None:
            return None
        bucket, *edges = taken
        events = _fill(connection, view, generation, edges)
        connection.execute(_sql["finish_bucket"], {**place, "bucket": bucket, "events": events})
        return events


def _fill(connection: Connection[Any], view: AnyView, generation: int, edges: Sequence[str | None]) -> int:
    """One statement reads the events, so they are of one snapshot."""
    range_, values = range_of(edges, view.categories)
    if isinstance(view, Log):
        return connection.execute(block(view, "fill", generation, range=range_), values).rowcount
    rows: list[Row] = []
    events = 0
    for facts in read_streams(connection, range_, values):
        events += len(facts)
        rows += fold_stream(view, facts)
    copy_rows(connection, view, table_of(view, generation), rows)
    return events


def range_of(edges: Sequence[str | None], categories: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Condition and values for events of some categories in (after, up to]; an edge is organisation and stream."""
    after_org, after_stream, up_to_org, up_to_stream = edges
    likes = " or ".join(f"stream_id like '{category}-%%'" for category in categories)
    conditions = [f"({likes})"]
    if after_org is not None:
        conditions.append("(org_id, stream_id) > (%(after_org)s, %(after_stream)s)")
    if up_to_org is not None:
        conditions.append("(org_id, stream_id) <= (%(up_to_org)s, %(up_to_stream)s)")
    values = {
        "after_org": after_org,
        "after_stream": after_stream,
        "up_to_org": up_to_org,
        "up_to_stream": up_to_stream,
    }
    return " and ".join(conditions), values


def read_streams(connection: Connection[Any], range_: str, values: dict[str, Any]) -> Iterator[list[StoredFact]]:
    """The facts of each stream of a range.

    Raises BrokenHistory for a stream with a version missing.
    """
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_sql["streams_of"].replace("{range}", range_), values)
        for org_id, stream_id, partition_key, text in cursor:
            facts = _decode(text)
            for version, fact in enumerate(facts, start=1):
                if fact.version != version:
                    raise BrokenHistory(f"stream {stream_id} of {org_id} has {fact.version} where {version} should be")
                fact.org_id = org_id
                fact.stream_id = stream_id
                fact.partition_key = partition_key
            yield facts


def fold_stream(view: View[Any, Any], facts: Sequence[StoredFact]) -> list[Row]:
    """The rows that one stream makes.

    Raises domain.errors.BrokenHistory for events this version cannot read: a rebuild must not leave them out.
    """
    fold, key_of, decode = view.fold, view.key_of, domain_events.decode
    if view.row_per_stream:
        state = None
        for fact in facts:
            state = fold(state, fact, decode(fact.type, fact.schema, fact.data))
        return [] if state is None else [view.freeze(state)]
    rows: dict[str, Row] = {}
    for fact in facts:
        event = decode(fact.type, fact.schema, fact.data)
        key = key_of(fact, event)
        if key is not None:
            row = fold(rows.get(key), fact, event)
            if row is not None:
                rows[key] = row
    return [view.freeze(row) for row in rows.values()]


def copy_rows(connection: Connection[Any], view: View[Any, Any], table: str, rows: Sequence[Row]) -> None:
    """Rows into a table, by binary COPY."""
    types = dict(connection.execute(COLUMN_TYPES, {"table": table}).fetchall())
    set_json_dumps(_encode, connection)
    with connection.cursor() as cursor, cursor.copy(copy_in(table, view.columns)) as copy:
        copy.set_types([types[name] for name in view.columns])
        for row in rows:
            copy.write_row(astuple(row))
