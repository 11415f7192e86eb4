"""What the domain's users need from the outside, as few methods as can work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from domain.messages import Append, Appended, Claim, Outcome, RecordedEvent, Replayed


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, with zone UTC."""
        ...


class Identities(Protocol):
    def new(self) -> UUID:
        """A fresh id that sorts by time of making (version 7)."""
        ...


class AsOf(Struct, frozen=True, kw_only=True):
    """A moment to look back to; several bounds hold together. Both clocks can be asked."""

    version: int | None = None
    position: int | None = None
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None


class EventStore(Protocol):
    """Facts, appended and read. Every call but `read_all` is of one organisation and cannot see another's."""

    async def append(self, org_id: str, append: Append) -> Outcome:
        """Store one command's outcome in one round trip; it may ride with other callers' appends.

        Cancelling the caller does not cancel the statement it rides in.
        """
        ...

    async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Store many streams' events in one transaction, one outcome each, in order.

        A refused append (version, claim, repeated key) leaves the others standing. Streams must be distinct.
        """
        ...

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        """Events of a stream with version > `after`, in order; empty when there are none."""
        ...

    async def read_streams(
        self, org_id: str, streams: Sequence[str], *, after: Mapping[str, int] | None = None
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        """Several streams in one round trip, each from behind the version in `after` on, or whole; one without such
        events is absent from the answer.
        """
        ...

    async def streams_of(self, org_id: str, category: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Ids of the streams of a category, in order, from behind `after` on; fewer than `limit` are the last ones."""
        ...

    async def versions_of(self, org_id: str, streams: Sequence[str]) -> Mapping[str, int]:
        """The versions that streams are at; one that is not there is absent from the answer."""
        ...

    async def answered(self, org_id: str, key: str) -> Replayed | None:
        """What was answered to an idempotency key, if it has been used."""
        ...

    async def owner_of(self, org_id: str, claims: Sequence[Claim]) -> Mapping[Claim, str]:
        """Which streams own these unique values; unowned ones are absent from the answer."""
        ...

    def read_all(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[AllBatch]:
        """Every organisation's events in commit-safe batches: no event is skipped however late it commits,
        and each stream's events come in order. Needs the worker role.

        `after` is the `token` of the last batch processed; None starts at the beginning. Ends when it has caught up.
        """
        ...


class AllBatch(Struct, frozen=True):
    """Some events, and the token from which to continue after them."""

    events: Sequence[RecordedEvent]
    token: str


__all__ = ["AllBatch", "Appended", "AsOf", "Clock", "EventStore", "Identities"]
