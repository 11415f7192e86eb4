"""Which shard of the outbox a partition key belongs to: all rows of one key have one owner at a time."""

from __future__ import annotations

import zlib
from typing import Final

SHARDS: Final = 64
"""Fixed for the life of an installation: a key's rows must not stand in two shards at once."""


def shard_of(partition_key: str) -> int:
    return zlib.crc32(partition_key.encode()) % SHARDS
