"""How many pieces each warehouse has, as the consumer that derives desired values knows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection

from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("stock_levels.sql"))


class Level(Struct, frozen=True, kw_only=True):
    org_id: str
    product_id: str
    stream_id: str
    sku: str
    warehouse: str
    on_hand: int
    version: int


async def record(connection: AsyncConnection[Any], levels: Sequence[Level]) -> None:
    """`levels` names each stream at most once."""
    await connection.execute(
        SQL["record_levels"],
        {
            "org_ids": [level.org_id for level in levels],
            "product_ids": [level.product_id for level in levels],
            "stream_ids": [level.stream_id for level in levels],
            "skus": [level.sku for level in levels],
            "warehouses": [level.warehouse for level in levels],
            "on_hand": [level.on_hand for level in levels],
            "versions": [level.version for level in levels],
        },
    )


async def of_products(
    connection: AsyncConnection[Any], org_id: str, product_ids: Sequence[str]
) -> dict[str, list[tuple[str, str, int]]]:
    """(SKU, warehouse, pieces) by product."""
    cursor = await connection.execute(SQL["levels_of"], {"org_id": org_id, "product_ids": list(product_ids)})
    levels: dict[str, list[tuple[str, str, int]]] = {}
    for product_id, sku, warehouse, on_hand in await cursor.fetchall():
        levels.setdefault(product_id, []).append((sku, warehouse, on_hand))
    return levels
