"""The event store's twin in memory, for tests: the same contract without a database."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from domain.messages import (
    UNIQUE_EVERYWHERE,
    Append,
    Appended,
    Claim,
    ClaimTaken,
    Outcome,
    RecordedEvent,
    Replayed,
    VersionMoved,
)
from domain.ports import AllBatch, AsOf, Clock
from infrastructure.event_store.read_all import BATCH, TokenRefused
from infrastructure.event_store.statement import check_sizes


class _Organisation(Struct):
    streams: dict[str, list[RecordedEvent]] = msgspec.field(default_factory=dict)
    claims: dict[Claim, str] = msgspec.field(default_factory=dict)
    answers: dict[str, Replayed] = msgspec.field(default_factory=dict)


class InMemoryEventStore:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._organisations: dict[str, _Organisation] = {}
        self._events: list[RecordedEvent] = []

    async def append(self, org_id: str, append: Append) -> Outcome:
        """Raises EventTooLarge."""
        check_sizes(append)
        return self._store(org_id, append)

    async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        """Raises EventTooLarge, ValueError when a stream is there twice."""
        if len({append.stream_id for append in appends}) != len(appends):
            raise ValueError("append_many() takes each stream once; put its events into one append")
        for append in appends:
            check_sizes(append)
        in_order = {a.stream_id: self._store(org_id, a) for a in sorted(appends, key=lambda append: append.stream_id)}
        return [in_order[append.stream_id] for append in appends]

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        events = self._of(org_id).streams.get(stream, [])
        return [event for event in events if event.version > after and _is_within(event, as_of or AsOf())]

    async def read_streams(
        self, org_id: str, streams: Sequence[str], *, after: Mapping[str, int] | None = None
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        known = self._of(org_id).streams
        found = {stream: list(known.get(stream, ())[(after or {}).get(stream, 0) :]) for stream in streams}
        return {stream: events for stream, events in found.items() if events}

    async def streams_of(self, org_id: str, category: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        ids = (stream for stream in sorted(self._of(org_id).streams) if stream.startswith(f"{category}-"))
        return list(islice((stream for stream in ids if stream > after), limit))

    async def versions_of(self, org_id: str, streams: Sequence[str]) -> Mapping[str, int]:
        known = self._of(org_id).streams
        return {stream: len(known[stream]) for stream in streams if stream in known}

    async def answered(self, org_id: str, key: str) -> Replayed | None:
        return self._of(org_id).answers.get(key)

    async def owner_of(self, org_id: str, claims: Sequence[Claim]) -> Mapping[Claim, str]:
        owned = self._of(org_id).claims
        return {claim: owned[claim] for claim in claims if claim in owned}

    async def read_all(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[AllBatch]:
        """A token is the position reached: nothing commits late here."""
        if after is not None and not after.isdecimal():
            raise TokenRefused(f"{after!r} is not a token of this event store; start without one")
        start = bisect_right(self._events, int(after or 0), key=lambda event: event.position)
        end = len(self._events) if limit is None else min(len(self._events), start + limit)
        for first in range(start, end, BATCH):
            events = self._events[first : min(first + BATCH, end)]
            yield AllBatch(events, str(events[-1].position))

    def _of(self, org_id: str) -> _Organisation:
        return self._organisations.setdefault(org_id, _Organisation())

    def _store(self, org_id: str, append: Append) -> Outcome:
        own = self._of(org_id)
        kept = append.idempotency
        if kept is not None and kept.key in own.answers:
            return own.answers[kept.key]
        current = len(own.streams.get(append.stream_id, []))
        if current != append.expected_version:
            return VersionMoved(append.expected_version, current)
        for claim in append.claims:
            owner = own.claims.get(claim, append.stream_id)
            if owner != append.stream_id:
                return ClaimTaken(claim, owner)
            if claim.kind in UNIQUE_EVERYWHERE and any(
                claim in other.claims for other in self._organisations.values() if other is not own
            ):
                return ClaimTaken(claim, owner="")
        for claim in append.releases:
            if own.claims.get(claim) == append.stream_id:
                del own.claims[claim]
        own.claims |= dict.fromkeys(append.claims, append.stream_id)
        events = self._recorded(org_id, append)
        if events:
            own.streams.setdefault(append.stream_id, []).extend(events)
        version, position = current + len(events), events[-1].position if events else 0
        if kept is not None:
            own.answers[kept.key] = Replayed(kept.fingerprint, kept.response, version, position)
        return Appended(version, position)

    def _recorded(self, org_id: str, append: Append) -> list[RecordedEvent]:
        events = [
            RecordedEvent(
                position=position,
                org_id=org_id,
                stream_id=append.stream_id,
                version=version,
                partition_key=append.partition_key,
                recorded_at=self._clock.now(),
                **msgspec.structs.asdict(event),
            )
            for position, (version, event) in enumerate(
                enumerate(append.events, append.expected_version + 1), len(self._events) + 1
            )
        ]
        self._events += events
        return events


def _is_within(event: RecordedEvent, until: AsOf) -> bool:
    bounds = (
        (event.version, until.version),
        (event.position, until.position),
        (event.occurred_at, until.occurred_at),
        (event.recorded_at, until.recorded_at),
    )
    return all(bound is None or value <= bound for value, bound in bounds)  # type: ignore[operator]  # pairs of one type
