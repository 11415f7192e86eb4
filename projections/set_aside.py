"""Keys that relay or consumers have set aside: what a view shows of them, or a shop, is older than it seems."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.reading import first_rows

_sql: Final = load(Path(__file__).with_suffix(".sql"))


class SetAside(Struct, frozen=True, kw_only=True):
    """One part of the system that takes up nothing more of a key until an operator releases it."""

    by: str
    """`relay`, which publishes events, or a consumer of them by its name."""
    waiting: int
    """Events or records."""
    since: datetime


_all_of: Final = msgspec.json.Decoder(tuple[SetAside, ...]).decode


async def set_aside_of(pool: Pool, org_id: str, key: str) -> tuple[SetAside, ...]:
    """Whoever has set the key aside, the longest first."""
    (row,) = await first_rows(pool, org_id, (_sql["of_key"], {"key": key}))
    return () if row is None else _all_of(row[0])
