"""The tables of a view come and go: each rebuild makes the next generation, and the one that it replaced is dropped."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from infrastructure.kafka import offsets
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import Pool
from projections import checkpoints
from projections.buckets import cut_buckets
from projections.catch_up import consumer_of, open_offsets
from projections.projection import AnyView
from projections.tables import create_table, table_of


async def begin(view: AnyView, pool: Pool, replay: Replay) -> int:
    """Take up what was begun last in today's shape, or begin; any other beginning is thrown away.

    There are two in one shape when a process that began had lost the connection that kept others away.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(checkpoints.sql["of_view"], {"view": view.name})
        building = {number: shape for number, shape, state, *_ in await cursor.fetchall() if state == "building"}
        begun = max((number for number, shape in building.items() if shape == view.shape), default=0)
        for number in building.keys() - {begun}:
            await _discard(connection, view, number)
    if begun:
        return begun
    ends = await replay.ends()
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(checkpoints.sql["begin"], {"view": view.name, "shape": view.shape})
        row = await cursor.fetchone()
        assert row is not None, "an insert of one row returns one"
        generation: int = row[0]
        await create_table(connection, view, generation)
        await open_offsets(connection, view, generation, ends)
        await cut_buckets(connection, view, generation)
    return generation


async def drop_retired(view: AnyView, pool: Pool) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute(checkpoints.sql["of_view"], {"view": view.name})
        for number, _, state, *_ in await cursor.fetchall():
            if state == "retired":
                await _discard(connection, view, number)


async def _discard(connection: AsyncConnection[Any], view: AnyView, generation: int) -> None:
    async with connection.transaction():
        await connection.execute(f"drop table if exists {table_of(view, generation)}")
        await offsets.forget(connection, consumer_of(view, generation))
        await connection.execute(checkpoints.sql["forget"], {"view": view.name, "generation": generation})
