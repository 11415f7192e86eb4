"""A record of Kafka as consumers see it, and what can be made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from domain.errors import SyncStoreError
from domain.events import EVENT_TYPES
from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents
from infrastructure.kafka.offsets import Partition

_KNOWN: Final = frozenset(kind.name for kind in EVENT_TYPES)
_SCHEMAS: Final = {kind.name: kind.schema for kind in EVENT_TYPES}
LONGEST_KEY: Final = 500
"""In characters: an index of PostgreSQL takes 2.7 kB. Longer keys are told apart by a digest."""


class Record(Protocol):
    """What a consumer reads of aiokafka's `ConsumerRecord`."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class StoredRecord(NamedTuple):
    """A record that was set aside and is read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Unreadable(NamedTuple):
    """A record that no event can be made of, and why."""

    reason: str


def partition_of(record: Record) -> Partition:
    return Partition(record.topic, record.partition)


def key_of(record: Record) -> str:
    """What orders the record, as text that PostgreSQL can keep and people can type, whatever bytes Kafka brings.

    Records without a key are a sequence of their own in each partition.
    """
    if record.key is None:
        return f"{record.topic}/{record.partition} without key"
    key = record.key.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:100]}... sha256:{hashlib.sha256(record.key).hexdigest()}"


def storable(text: str) -> str:
    """The text with what PostgreSQL cannot keep, NUL and lone surrogates, written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def event_of(record: Record) -> RecordedEvent | Unreadable | None:
    """The event of a record; None for a type that this version does not know and therefore passes by."""
    try:
        event = cloudevents.read(record.key, record.value or b"", record.headers)
    except (SyncStoreError, ValueError, TypeError, KeyError) as error:
        return Unreadable(f"{type(error).__name__}: {error}")
    if event.type not in _KNOWN:
        return None
    if event.schema > _SCHEMAS[event.type]:
        return Unreadable(
            f"{event.type!r} has schema {event.schema}; this version of SyncStore reads up to {_SCHEMAS[event.type]}"
        )
    return event
