"""Notifications from shops, kept before they are acknowledged. Each only says "look there"; none carries truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("inbox.sql"))


async def accept(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, dedupe_key: str, body: bytes
) -> bool:
    """False when it had been accepted before."""
    cursor = await connection.execute(
        SQL["accept"],
        {"org_id": org_id, "connection_id": connection_id, "dedupe_key": dedupe_key, "body": body},
    )
    return await cursor.fetchone() is not None  # asked for, not counted: the caller may have a pipeline


async def waiting(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, limit: int = 100
) -> list[tuple[int, bytes]]:
    cursor = await connection.execute(
        SQL["waiting"], {"org_id": org_id, "connection_id": connection_id, "limit": limit}, binary=True
    )
    return [(row[0], bytes(row[1])) for row in await cursor.fetchall()]


async def handled(connection: AsyncConnection[Any], ids: Sequence[int]) -> None:
    await connection.execute(SQL["handled"], {"ids": list(ids)})
