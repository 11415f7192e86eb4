"""Whose rows a transaction of `syncstore_app` sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection

from infrastructure.postgres.statements import load

_sql: Final = load(Path(__file__).with_suffix(".sql"))


async def see_as(connection: AsyncConnection[Any], org_id: str) -> None:
    """The organisation's, and nobody else's, until the transaction ends."""
    await connection.execute(_sql["see_as"], {"org_id": org_id})
