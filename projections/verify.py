"""Whether the live rows of a view are what the events say, found without touching them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from msgspec import Struct
from psycopg import Connection, IsolationLevel

from projections.checkpoints import ViewNotBuilt, sql
from projections.comparison import MOST, Difference, differences_of, statement
from projections.fill import Source, connect, copy_rows, fold_stream, range_of, read_streams
from projections.projection import AnyView, Log, Row
from projections.tables import block, table_of

_ROWS_AT_ONCE: Final = 10_000
_SCRATCH: Final = "pg_temp.verified"


class Verification(Struct, frozen=True, kw_only=True):
    """Counts are of rows, all taken from one snapshot of the database."""

    view: str
    generation: int
    live_rows: int
    true_rows: int
    """That a fold of the event store makes."""
    behind: int
    """Live at an earlier version, or not there yet: under way through Kafka, or parked."""
    alone: int
    """Live, but of no event, or of a version that no event has."""
    differences: tuple[Difference, ...]
    """At equal versions, at most MOST."""

    @property
    def is_sound(self) -> bool:
        return not self.alone and not self.differences


async def verify(view: AnyView, source: Source) -> Verification:
    """Fold the event store into a temporary table and compare.

    Raises ViewNotBuilt.
    """
    return await asyncio.to_thread(_verify, view, source)


def _verify(view: AnyView, source: Source) -> Verification:
    with connect(source, f"syncstore-verify-{view.name}") as connection:
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            live = {name: number for name, number, _ in connection.execute(sql["live"]).fetchall()}
            if view.name not in live:
                raise ViewNotBuilt(
                    f"view {view.name} has not been built; run: syncstore projections rebuild {view.name}"
                )
            table = table_of(view, live[view.name])
            connection.execute(f"create temporary table verified (like {table}) on commit drop")
            _fill(connection, view)
            connection.execute(f"analyze {_SCRATCH}")
            found = connection.execute(statement("differences", view, table, _SCRATCH), {"limit": MOST}).fetchall()
            counts = connection.execute(statement("counts", view, table, _SCRATCH)).fetchone()
            assert counts is not None, "an aggregate always answers one row"
            live_rows, true_rows, behind, ahead, missing, alone = counts
            return Verification(
                view=view.name,
                generation=live[view.name],
                live_rows=live_rows,
                true_rows=true_rows,
                behind=behind + missing,
                alone=ahead + alone,
                differences=tuple(differences_of(found)),
            )


def _fill(connection: Connection[Any], view: AnyView) -> None:
    everything, values = range_of((None, None, None, None), view.categories)
    if isinstance(view, Log):
        connection.execute(block(view, "fill", 0, range=everything, table=_SCRATCH), values)
        return
    rows: list[Row] = []
    for facts in read_streams(connection, everything, values):
        rows += fold_stream(view, facts)
        if len(rows) >= _ROWS_AT_ONCE:
            copy_rows(connection, view, _SCRATCH, rows)
            rows.clear()
    copy_rows(connection, view, _SCRATCH, rows)
