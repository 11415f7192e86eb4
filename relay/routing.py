"""Where an event goes: the topic of its stream's category, the partition of its key. Nothing else is looked at."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from aiokafka.partitioner import murmur2

from domain.values import category_of
from infrastructure.kafka.topics import BY_CATEGORY

_POSITIVE: Final = 0x7FFFFFFF


def topic_of(stream_id: str) -> str | None:
    """None for a category that no topic carries."""
    return BY_CATEGORY.get(category_of(stream_id))


@lru_cache(maxsize=200_000)
def partition_of(key: bytes, partitions: int) -> int:
    """As Kafka's Java client and its relatives would choose, so that everyone agrees where a key lives."""
    hashed: Any = murmur2(key)
    return int((hashed & _POSITIVE) % partitions)
