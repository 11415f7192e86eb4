"""Catching up from Kafka: a new generation is given what the event store's snapshot did not hold.

A consumer of its own, with its offsets beside those of the live one, and with the live one's code.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.errors import SyncStoreError
from domain.messages import RecordedEvent
from infrastructure.kafka import offsets
from infrastructure.kafka.offsets import Partition, Step
from infrastructure.kafka.records import Record, Unreadable, event_of, partition_of
from infrastructure.kafka.replay import Replay
from infrastructure.postgres.pool import Pool
from projections.progress import Reporter
from projections.projection import AnyView
from projections.runner import Projections


class UnreadableRecord(SyncStoreError):
    """A record in Kafka that must be caught up with cannot be read."""


class TakenOver(SyncStoreError):
    """Another process has ended this rebuild, after the connection had broken that kept others away."""

    def __init__(self, view: str) -> None:
        super().__init__(f"another process has ended this rebuild of view {view}; nothing is to be done")


def consumer_of(view: AnyView, generation: int) -> str:
    """The name under which the offsets of a generation are kept until it is live."""
    return f"rebuild.{view.name}.{generation}"


async def open_offsets(
    connection: AsyncConnection[Any], view: AnyView, generation: int, ends: Mapping[Partition, int]
) -> None:
    """Remember where Kafka ends, before anything is read from the event store."""
    await offsets.open_partitions(connection, consumer_of(view, generation), ends)


class CatchUp:
    def __init__(self, view: AnyView, generation: int, pool: Pool, replay: Replay, reporter: Reporter) -> None:
        self.applied = 0
        """Records read in this run."""
        self._view = view
        self._generation = generation
        self._consumer = consumer_of(view, generation)
        self._pool = pool
        self._replay = replay
        self._reporter = reporter

    async def to(self, until: Mapping[Partition, int]) -> None:
        """Apply what Kafka holds from the stored offsets of this rebuild up to `until`.

        Raises UnreadableRecord, TakenOver, OffsetsMoved.
        """
        effect = Projections([self._view], name=self._consumer, generations={self._view.name: self._generation})
        async with self._pool.connection() as connection, connection.transaction():
            at = await offsets.lock_offsets(connection, self._consumer)
            if not at:
                raise TakenOver(self._view.name)
            missing = {partition: 0 for partition in until if partition not in at}
            if missing:  # partitions were added to a topic meanwhile
                await offsets.open_partitions(connection, self._consumer, missing)
        at |= missing
        total = sum(max(end - at[partition], 0) for partition, end in until.items())
        began, done = time.monotonic(), 0
        async for records in self._replay.records(at, until):
            events, steps = _step(records, at)
            async with self._pool.connection() as connection, connection.transaction():
                await offsets.advance(connection, self._consumer, steps)
                if events:
                    await effect.apply(connection, events)
            at |= {step.partition: step.next_offset for step in steps}
            done += len(records)
            self._reporter.tell("catching up", done, total, began=began, done_now=done)
        self.applied += done


def _step(records: Sequence[Record], at: dict[Partition, int]) -> tuple[list[RecordedEvent], list[Step]]:
    events: list[RecordedEvent] = []
    ends: dict[Partition, int] = {}
    for record in records:
        ends[partition_of(record)] = record.offset + 1
        event = event_of(record)
        if isinstance(event, Unreadable):
            raise UnreadableRecord(f"{record.topic}/{record.partition}:{record.offset} cannot be read: {event.reason}")
        if event is not None:
            events.append(event)
    return events, [Step(partition, at[partition], end, 0, 0) for partition, end in ends.items()]
