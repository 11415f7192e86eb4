"""Events as CloudEvents 1.0 in binary mode: the JSON is the record's value, all else stands in `ce_*` headers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol
from uuid import UUID

from domain.errors import SyncStoreError
from domain.messages import RecordedEvent

Header = tuple[str, bytes]

_SPEC: Final[Header] = ("ce_specversion", b"1.0")
_JSON: Final[Header] = ("content-type", b"application/json")
REPLAY: Final[Header] = ("ce_replay", b"true")
"""Stands on records that are published again."""


class UnreadableRecord(SyncStoreError):
    """A record whose headers are not those of a SyncStore event."""


class Fact(Protocol):
    """An event, or a row of one: ids may be UUIDs or their text."""

    @property
    def position(self) -> int: ...
    @property
    def org_id(self) -> str: ...
    @property
    def stream_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def event_id(self) -> UUID | str: ...
    @property
    def type(self) -> str: ...
    @property
    def schema(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def recorded_at(self) -> datetime: ...
    @property
    def actor(self) -> str: ...
    @property
    def correlation_id(self) -> UUID | str: ...
    @property
    def causation_id(self) -> UUID | str | None: ...
    @property
    def batch_id(self) -> UUID | str | None: ...


def headers_of(event: Fact) -> list[Header]:
    """All but the value and the key. On the relay's hot path: what recurs is made once."""
    headers = [
        *_of_type(event.type, event.schema, event.org_id, event.actor),
        ("ce_id", str(event.event_id).encode()),
        ("ce_subject", event.stream_id.encode()),
        ("ce_sequence", b"%d" % event.version),
        ("ce_position", b"%d" % event.position),
        ("ce_time", _time(event.occurred_at)),
        ("ce_recordedtime", _time(event.recorded_at)),
        ("ce_correlationid", str(event.correlation_id).encode()),
    ]
    if event.causation_id is not None:
        headers.append(("ce_causationid", str(event.causation_id).encode()))
    if event.batch_id is not None:
        headers.append(("ce_batchid", str(event.batch_id).encode()))
    return headers


@lru_cache(maxsize=10_000)
def _of_type(name: str, schema: int, org_id: str, actor: str) -> tuple[Header, ...]:
    return (
        _SPEC,
        _JSON,
        ("ce_type", name.encode()),
        ("ce_dataschema", f"urn:syncstore:{name}:{schema}".encode()),
        ("ce_source", f"/syncstore/{org_id}".encode()),
        ("ce_org", org_id.encode()),
        ("ce_actor", actor.encode()),
    )


def _time(moment: datetime) -> bytes:
    return moment.isoformat().encode()


def read(key: bytes | None, value: bytes, headers: Sequence[Header]) -> RecordedEvent:
    """The event of a record.

    Raises UnreadableRecord.
    """
    found = dict(headers)
    try:
        causation, batch = found.get("ce_causationid"), found.get("ce_batchid")
        return RecordedEvent(
            position=int(found["ce_position"]),
            org_id=found["ce_org"].decode(),
            stream_id=found["ce_subject"].decode(),
            version=int(found["ce_sequence"]),
            partition_key=(key or b"").decode(),
            event_id=UUID(found["ce_id"].decode()),
            type=found["ce_type"].decode(),
            schema=int(found["ce_dataschema"].rpartition(b":")[2]),
            data=value,
            occurred_at=datetime.fromisoformat(found["ce_time"].decode()),
            recorded_at=datetime.fromisoformat(found["ce_recordedtime"].decode()),
            actor=found["ce_actor"].decode(),
            correlation_id=UUID(found["ce_correlationid"].decode()),
            causation_id=UUID(causation.decode()) if causation else None,
            batch_id=UUID(batch.decode()) if batch else None,
        )
    except (KeyError, ValueError) as error:
        raise UnreadableRecord(f"not a SyncStore event: {type(error).__name__} {error}") from error
