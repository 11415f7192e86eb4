"""A record of Kafka as consumers see it, and what can be made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from domain.errors import SyncStoreError
from domain.events import EVENT_TYPES
from domain.messages import RecordedEvent
from infrastructure.kafka import cloudevents
from infrastructure.kafka.offsets import Partition

_KNOWN: Final = frozenset(kind.name for kind in EVENT_TYPES)
_SCHEMAS: Final = {kind.name: kind.schema for kind in EVENT_TYPES}


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
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class StoredRecord(NamedTuple):
    """A record that was set aside and is read back."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Unreadable(NamedTuple):
    """A record that no event can be made of, and why."""

    reason: str


def partition_of(record: Record) -> Partition:
    return Partition(record.topic, record.partition)


def key_of(record: Record) -> str:
    """What orders the record; records without a key are a sequence of their own in each partition."""
    if record.key is None:
        return f"{record.topic}/{record.partition} without key"
    return record.key.decode("utf-8", "backslashreplace")


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
