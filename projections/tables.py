"""The statements that follow from a view's columns, so that no view repeats them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import astuple
from psycopg import AsyncConnection
from psycopg.types.json import set_json_dumps

from infrastructure.postgres.arrays import texts
from infrastructure.postgres.statements import load
from projections.projection import AnyView, Row, View

R = TypeVar("R", bound=Row)
_encode: Final = msgspec.json.Encoder().encode
SCHEMA: Final = "projections"
COPIED_FROM: Final = 500
"""So many rows cost less copied in and stored from there, for all its round trips, than read from JSON."""

COLUMN_TYPES: Final = """
select attname, format_type(atttypid, null) from pg_attribute
where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped
"""

_SECURE: Final = """
alter table {table} enable row level security;
create policy of_the_organisation on {table} for select to syncstore_app using (org_id = (select current_org()));
grant select on {table} to syncstore_app
"""
"""As a subquery the organisation is asked for once by each statement, not for every row it looks at."""

_LOAD: Final = """
select row_to_json(t)::text
from unnest(%(orgs)b::text[], %(keys)b::text[]) as k (org_id, key)
cross join lateral (select * from {table} t where t.org_id = k.org_id and t.{key} = k.key offset 0) t
"""
"""The lateral join keeps the planner at an index look-up for each key; a plain one reads the whole table."""

_STORE: Final = """
insert into {table} ({columns})
select {columns} from {rows}
on conflict (org_id, {key}) do update set {assignments}
where {table}.version < excluded.version
"""
_FROM_JSON: Final = "json_populate_recordset(null::{table}, %(rows)s::json)"

_SHELF: Final = "create temporary table if not exists {shelf} (like {table}) on commit delete rows"
"""Made once by each connection: all generations that a process writes of a view have the columns it knows."""


def table_of(view: AnyView, generation: int) -> str:
    """Qualified name of the table that holds a generation of a view."""
    return f"{SCHEMA}.{view.name}_{generation}"


def block(view: AnyView, name: str, generation: int, **places: str) -> str:
    """A block of the view's tables.sql with the names of a generation filled in."""
    text = load(view.folder / "tables.sql")[name]
    for place, value in {"table": table_of(view, generation), "view": view.name, **places}.items():
        text = text.replace(f"{{{place}}}", value)
    return text


async def create_table(connection: AsyncConnection[Any], view: AnyView, generation: int) -> None:
    """The table, readable by the organisation each row belongs to; indexes come after the rows."""
    await connection.execute(block(view, "table", generation))
    await connection.execute(_SECURE.format(table=table_of(view, generation)))


async def load_rows(
    connection: AsyncConnection[Any], view: View[R, Any], generation: int, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], R]:
    """Rows by organisation and key; keys without a row are absent."""
    wanted = list(keys)
    cursor = await connection.execute(
        _LOAD.format(table=table_of(view, generation), key=view.key),
        {"orgs": texts([org for org, _ in wanted]), "keys": texts([key for _, key in wanted])},
    )
    decode = msgspec.json.Decoder(view.row).decode
    rows = (decode(text) for (text,) in await cursor.fetchall())
    return {(row.org_id, getattr(row, view.key)): row for row in rows}


async def store_rows(connection: AsyncConnection[Any], view: View[R, Any], generation: int, rows: Sequence[R]) -> None:
    """Insert or replace rows, except where the table holds a later version; of a view once in a transaction."""
    if len(rows) < COPIED_FROM:
        await connection.execute(_store(view, generation, _FROM_JSON), {"rows": _encode(rows).decode()})
        return
    async with connection.transaction():  # whose end, if it is the outermost, empties the shelf
        shelf = await _shelve(connection, view, generation, rows)
        await connection.execute(_store(view, generation, shelf))


def _store(view: View[R, Any], generation: int, rows: str) -> str:
    table, columns = table_of(view, generation), view.columns
    return _STORE.format(
        table=table,
        columns=", ".join(columns),
        rows=rows.format(table=table),
        key=view.key,
        assignments=", ".join(f"{name} = excluded.{name}" for name in columns if name not in {"org_id", view.key}),
    )


async def _shelve(connection: AsyncConnection[Any], view: View[R, Any], generation: int, rows: Sequence[R]) -> str:
    """Rows into a table of this connection alone; answers its name."""
    table, shelf, columns = table_of(view, generation), f"pg_temp.{view.name}", view.columns
    await connection.execute(_SHELF.format(shelf=shelf, table=table))
    types = dict(await (await connection.execute(COLUMN_TYPES, {"table": table})).fetchall())
    async with connection.cursor() as cursor:
        set_json_dumps(_encode, cursor)
        async with cursor.copy(copy_in(shelf, columns)) as copy:
            copy.set_types([types[name] for name in columns])
            for row in rows:
                await copy.write_row(astuple(row))
    return shelf


def copy_in(table: str, columns: Sequence[str]) -> str:
    return f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
