"""One lane per shop, held by one process at a time under a lease, so that a shop's limits are kept in one place.

A lane taken over has a new term. A zombie can at worst repeat an absolute write; what it learns of the shop is refused.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection

from infrastructure.postgres import statements

SQL: Final = statements.load(Path(__file__).with_name("lanes.sql"))

LEASE_SECONDS: Final = 10.0


class Lane(Struct, frozen=True, kw_only=True):
    org_id: str
    connection_id: str
    platform: str
    shop_id: str
    term: int
    paused_until: datetime | None
    watched_until: datetime | None
    """None before the first look."""
    full_scan_at: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        return self.org_id, self.connection_id


async def open_lane(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, platform: str, shop_id: str
) -> None:
    await connection.execute(
        SQL["open_lane"],
        {"org_id": org_id, "connection_id": connection_id, "platform": platform, "shop_id": shop_id},
    )


async def claim(connection: AsyncConnection[Any], *, owner: str, limit: int) -> list[Lane]:
    """Renew the lanes that `owner` holds and take free ones, `limit` in all."""
    cursor = await connection.execute(SQL["claim"], {"owner": owner, "limit": limit, "ttl": LEASE_SECONDS})
    return [
        Lane(
            org_id=row[0],
            connection_id=row[1],
            platform=row[2],
            shop_id=row[3],
            term=row[4],
            paused_until=row[5],
            watched_until=row[6],
            full_scan_at=row[7],
        )
        for row in await cursor.fetchall()
    ]


async def release(connection: AsyncConnection[Any], *, owner: str) -> None:
    await connection.execute(SQL["release"], {"owner": owner})


async def pause(
    connection: AsyncConnection[Any], *, org_id: str, connection_id: str, until: datetime | None, reason: str | None
) -> None:
    await connection.execute(
        SQL["pause"], {"org_id": org_id, "connection_id": connection_id, "until": until, "reason": reason}
    )


async def watched(
    connection: AsyncConnection[Any],
    lane: Lane,
    *,
    owner: str,
    watched_until: datetime | None = None,
    full_scan_at: datetime | None = None,
) -> bool:
    """Remember how far the shop has been looked at; False when the lane is no longer ours."""
    cursor = await connection.execute(
        SQL["watched"],
        {
            "org_id": lane.org_id,
            "connection_id": lane.connection_id,
            "owner": owner,
            "term": lane.term,
            "watched_until": watched_until,
            "full_scan_at": full_scan_at,
        },
    )
    return cursor.rowcount == 1


async def shop_of(connection: AsyncConnection[Any], *, platform: str, shop_id: str) -> tuple[str, str] | None:
    """(organisation, connection) of a shop."""
    cursor = await connection.execute(SQL["shop_of"], {"platform": platform, "shop_id": shop_id})
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else None
