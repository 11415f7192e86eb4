"""Keys that relay or consumers have set aside: what a view shows of them, or a shop, is older than it seems."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.reading import Freshness, first_rows

_sql: Final = load(Path(__file__).with_suffix(".sql"))


class SetAside(Struct, frozen=True, kw_only=True):
    """One part of the system that takes up nothing more of a key until an operator releases it."""

    by: str
    """`relay`, which publishes events, or a consumer of them by its name."""
    waiting: int
    """Events or records."""
    since: datetime


_decode: Final = msgspec.json.Decoder(dict[str, tuple[SetAside, ...]]).decode


async def set_aside_among(
    pool: Pool, org_id: str, keys: Collection[str], freshness: Freshness
) -> Mapping[str, tuple[SetAside, ...]]:
    """Those of the keys that are set aside, and by whom, the longest first. `freshness` came with what was read."""
    if not freshness.anything_set_aside or not keys:
        return {}
    (row,) = await first_rows(pool, org_id, (_sql["among"], {"keys": list(keys)}))
    assert row is not None, "an aggregate always answers one row"
    return _decode(row[0])


async def set_aside_of(pool: Pool, org_id: str, key: str, freshness: Freshness) -> tuple[SetAside, ...]:
    """The same of one key."""
    return (await set_aside_among(pool, org_id, (key,), freshness)).get(key, ())
