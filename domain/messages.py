"""What travels: who asked, the events of one append, and an event as the store recorded it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct


class CommandContext(Struct, frozen=True, kw_only=True):
    """Who asks, when, and in the course of what. Time and ids are made at the edge, never in the domain."""

    org_id: str
    actor: str
    now: datetime
    correlation_id: UUID
    causation_id: UUID | None = None
    batch_id: UUID | None = None
    occurred_at: datetime | None = None
    """When it happened in the world, if that was not `now` (a late webhook, a count with an as-of time)."""


class NewEvent(Struct, frozen=True, kw_only=True):
    """An event not yet stored. `data` is its JSON, `type` the wire name, `schema` the version of that name's shape."""

    event_id: UUID
    type: str
    schema: int
    data: bytes
    occurred_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None
    batch_id: UUID | None = None


class RecordedEvent(Struct, frozen=True, kw_only=True):
    """An event as stored. `version` counts 1, 2, 3 ... within its stream; `position` grows over the whole store."""

    position: int
    org_id: str
    stream_id: str
    version: int
    partition_key: str
    event_id: UUID
    type: str
    schema: int
    data: bytes
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID | None = None
    batch_id: UUID | None = None


class Claim(Struct, frozen=True, order=True):
    """A value that at most one stream of an organisation may own, such as a SKU."""

    kind: str
    value: str


UNIQUE_EVERYWHERE: Final = frozenset({"shop"})
"""Kinds of claims whose values at most one organisation of an installation may own."""


class Idempotency(Struct, frozen=True, kw_only=True):
    """A caller's key, a digest of what was asked with it, and the response to repeat."""

    key: str
    fingerprint: bytes
    response: bytes


class Append(Struct, frozen=True, kw_only=True):
    """The outcome of one command: events for one stream that must still be at `expected_version` (0: not there yet).

    Claims and releases of unique values succeed or fail together with the events.
    """

    stream_id: str
    partition_key: str
    expected_version: int
    events: tuple[NewEvent, ...]
    idempotency: Idempotency | None = None
    claims: tuple[Claim, ...] = ()
    releases: tuple[Claim, ...] = ()


class Appended(Struct, frozen=True, tag=True):
    """Stored. `version` of the stream and `position` of its last event (0 when the append held no event)."""

    version: int
    position: int


class Replayed(Struct, frozen=True, tag=True):
    """The idempotency key had been used before: nothing was stored, here is what was answered then."""

    fingerprint: bytes
    response: bytes
    version: int
    position: int


class VersionMoved(Struct, frozen=True, tag=True):
    """The stream was not at the expected version: nothing was stored."""

    expected: int
    current: int


class ClaimTaken(Struct, frozen=True, tag=True):
    """A claimed value belongs to another stream: nothing was stored."""

    claim: Claim
    owner: str
    """Empty where it is another organisation's, which nobody else shall learn of."""


Outcome = Appended | Replayed | VersionMoved | ClaimTaken
