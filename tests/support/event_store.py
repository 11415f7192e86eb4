"""The smallest event store that keeps the port's promises, with room to be overtaken at a chosen moment."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.messages import (
    Append,
    Appended,
    Claim,
    ClaimTaken,
    CommandContext,
    Idempotency,
    Outcome,
    RecordedEvent,
    Replayed,
    VersionMoved,
)
from domain.ports import AllBatch, AsOf

T0 = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)
ORG = "toko-nusantara"


class Counting:
    """Identities that count up."""

    def __init__(self) -> None:
        self.made = 0

    def new(self) -> UUID:
        self.made += 1
        return UUID(int=self.made)


def context(actor: str = "sari", *, seconds: float = 0, org_id: str = ORG, batch: int | None = None) -> CommandContext:
    return CommandContext(
        org_id=org_id,
        actor=actor,
        now=T0 + timedelta(seconds=seconds),
        correlation_id=UUID(int=1),
        batch_id=None if batch is None else UUID(int=batch),
    )


class SmallEventStore:
    def __init__(self) -> None:
        self.streams: dict[tuple[str, str], list[RecordedEvent]] = defaultdict(list)
        self.claims: dict[tuple[str, Claim], str] = {}
        self.keys: dict[tuple[str, str], tuple[Idempotency, int, int]] = {}
        self.position = 0
        self.reads = 0
        self.appends = 0
        self.before_append: Callable[[], None] | None = None

    async def append(self, org_id: str, append: Append) -> Outcome:
        await asyncio.sleep(0)  # others may come between
        if self.before_append is not None:
            overtake, self.before_append = self.before_append, None
            overtake()
        return self.append_now(org_id, append)

    def append_now(self, org_id: str, append: Append) -> Outcome:
        self.appends += 1
        once = append.idempotency
        if once is not None and (org_id, once.key) in self.keys:
            return self._replayed(org_id, once.key)
        stream = self.streams[org_id, append.stream_id]
        if len(stream) != append.expected_version:
            return VersionMoved(append.expected_version, len(stream))
        for claim in append.claims:
            owner = self.claims.get((org_id, claim))
            if owner not in {None, append.stream_id}:
                assert owner is not None
                return ClaimTaken(claim, owner)
        for claim in append.releases:
            self.claims.pop((org_id, claim), None)
        self.claims |= {(org_id, claim): append.stream_id for claim in append.claims}
        for event in append.events:
            self.position += 1
            stream.append(
                RecordedEvent(
                    position=self.position,
                    org_id=org_id,
                    stream_id=append.stream_id,
                    version=len(stream) + 1,
                    partition_key=append.partition_key,
                    recorded_at=T0,
                    **{name: getattr(event, name) for name in event.__struct_fields__},
                )
            )
        position = self.position if append.events else 0
        if once is not None:
            self.keys[org_id, once.key] = (once, len(stream), position)
        return Appended(len(stream), position)

    async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        assert len({append.stream_id for append in appends}) == len(appends)
        return [await self.append(org_id, append) for append in appends]

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        self.reads += 1
        return self.streams.get((org_id, stream), [])[after:]

    async def read_streams(self, org_id: str, streams: Sequence[str]) -> Mapping[str, Sequence[RecordedEvent]]:
        self.reads += 1
        return {stream: self.streams[org_id, stream] for stream in streams if self.streams.get((org_id, stream))}

    async def streams_of(self, org_id: str, category: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        names = sorted(stream for org, stream in self.streams if org == org_id and stream.startswith(f"{category}-"))
        return [stream for stream in names if stream > after][:limit]

    async def answered(self, org_id: str, key: str) -> Replayed | None:
        return self._replayed(org_id, key) if (org_id, key) in self.keys else None

    async def owner_of(self, org_id: str, claims: Sequence[Claim]) -> Mapping[Claim, str]:
        return {claim: self.claims[org_id, claim] for claim in claims if (org_id, claim) in self.claims}

    async def read_all(self, *, after: str | None = None, limit: int | None = None) -> AsyncIterator[AllBatch]:
        every = sorted((e for stream in self.streams.values() for e in stream), key=lambda event: event.position)
        yield AllBatch(every, str(self.position))

    def types(self) -> list[str]:
        """Wire names of all events in the order stored."""
        every = [event for stream in self.streams.values() for event in stream]
        return [event.type for event in sorted(every, key=lambda event: event.position)]

    def _replayed(self, org_id: str, key: str) -> Replayed:
        once, version, position = self.keys[org_id, key]
        return Replayed(fingerprint=once.fingerprint, response=once.response, version=version, position=position)
