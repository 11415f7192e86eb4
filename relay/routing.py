"""Where an event goes: the topic of its stream's category, the partition of its key. Nothing else is looked at."""

from __future__ import annotations

from typing import Final

from infrastructure.kafka.topics import BY_CATEGORY

_TOPICS: Final = {category.encode(): topic for category, topic in BY_CATEGORY.items()}


def topic_of(stream_id: bytes) -> str | None:
    """None for a category that no topic carries."""
    return _TOPICS.get(stream_id.partition(b"-")[0])
