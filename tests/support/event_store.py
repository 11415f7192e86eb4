"""The event store in memory, with its calls counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.messages import Append, CommandContext, Outcome, RecordedEvent
from domain.ports import AsOf
from infrastructure.event_store.in_memory import InMemoryEventStore

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


class Still:
    """Time that stands still."""

    def now(self) -> datetime:
        return T0


class CountingEventStore(InMemoryEventStore):
    """Lets others come between what is read and what is appended. `beside`: shows and keeps what that one does."""

    def __init__(self, beside: CountingEventStore | None = None) -> None:
        super().__init__(Still())
        if beside is not None:
            self._organisations, self._events = beside._organisations, beside._events
        self.reads = 0
        self.appends = 0

    @property
    def events(self) -> list[RecordedEvent]:
        """In the order stored."""
        return self._events

    async def append(self, org_id: str, append: Append) -> Outcome:
        await asyncio.sleep(0)
        self.appends += 1
        return await super().append(org_id, append)

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        self.reads += 1
        return await super().read_stream(org_id, stream, after=after, as_of=as_of)

    async def read_streams(
        self, org_id: str, streams: Sequence[str], *, after: Mapping[str, int] | None = None
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        self.reads += 1
        return await super().read_streams(org_id, streams, after=after)

    def types(self) -> list[str]:
        """Wire names of all events in the order stored."""
        return [event.type for event in self._events]
