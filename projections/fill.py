"""Filling a generation from the event store, one bucket of streams at a time. Runs in processes of its own.

A bucket is one transaction: read under one snapshot, fold in memory, copy the rows in, mark the bucket. A fill that was
killed anywhere therefore leaves each bucket either done or untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from msgspec import Raw, Struct
from msgspec.structs import astuple
from psycopg import Connection, IsolationLevel
from psycopg.types.json import set_json_dumps

from domain import events as domain_events
from infrastructure.postgres.pool import connection_arguments
from infrastructure.postgres.statements import load
from projections.projection import AnyView, Log, Row, View
from projections.registry import VIEWS
from projections.tables import block, table_of

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
    recorded_at: datetime
    actor: str
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


def fill_bucket(source: Source, view_name: str, generation: int, bucket: int) -> int:
    """Fill one bucket if it has not been; answers how many events were read."""
    view = next(view for view in VIEWS if view.name == view_name)
    with connect(source, f"syncstore-rebuild-{view_name}") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            return _fill(connection, view, generation, bucket)


def _fill(connection: Connection[Any], view: AnyView, generation: int, bucket: int) -> int:
    where = {"view": view.name, "generation": generation, "bucket": bucket}
    edges = connection.execute(_sql["take_bucket"], where).fetchone()
    if edges is None:
        return 0
    range_, values = range_of(edges, view.categories)
    if isinstance(view, Log):
        events = connection.execute(block(view, "fill", generation, range=range_), values).rowcount
    else:
        rows = []
        events = 0
        for facts in read_streams(connection, range_, values):
            events += len(facts)
            rows += fold_stream(view, facts)
        copy_rows(connection, view, table_of(view, generation), rows)
    connection.execute(_sql["finish_bucket"], {**where, "events": events})
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
    """The facts of each stream of a range."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(_sql["streams_of"].replace("{range}", range_), values)
        for org_id, stream_id, partition_key, text in cursor:
            facts = _decode(text)
            for fact in facts:
                fact.org_id = org_id
                fact.stream_id = stream_id
                fact.partition_key = partition_key
            yield facts


def fold_stream(view: View[Any, Any], facts: Sequence[StoredFact]) -> list[Row]:
    """The rows that one stream makes.

    Raises domain.errors.BrokenHistory for events this version cannot read: a rebuild must not leave them out.
    """
    rows: dict[str, Row] = {}
    fold, key_of, decode = view.fold, view.key_of, domain_events.decode
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
    names = view.columns
    types = dict(
        connection.execute(
            "select attname, format_type(atttypid, null) from pg_attribute "
            "where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped",
            {"table": table},
        ).fetchall()
    )
    set_json_dumps(_encode, connection)
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy {table} ({', '.join(names)}) from stdin (format binary)") as copy,
    ):
        copy.set_types([types[name] for name in names])
        for row in rows:
            copy.write_row(astuple(row))
