"""From a batch of records to a committed effect: retry what passes, find and park what does not, let the rest go on.

Offsets are moved first in each transaction. That locks them, so a member that lost its partitions waits or fails before
it has done anything, and an operator who releases a parked key sees all or nothing of a batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from domain.errors import SyncStoreError
from domain.messages import RecordedEvent
from infrastructure.kafka import offsets, parking
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.effect import Effect
from infrastructure.kafka.faults import passes_by_itself
from infrastructure.kafka.offsets import OffsetsMoved, Partition, Step
from infrastructure.kafka.records import Record, Unreadable, event_of, key_of, partition_of
from infrastructure.postgres.pool import Pool

_log: Final = structlog.get_logger(__name__)
Readable = RecordedEvent | Unreadable | None
Item = tuple[Record, Readable]
FIRST_WAIT: Final = 0.1


class Lanes(NamedTuple):
    """In how many transactions at a time a batch is applied: while PostgreSQL works for one, the next is prepared."""

    number: int = 1
    worth_it_from: int = 500
    """Records of a batch; fewer go into one transaction."""


ONE_LANE: Final = Lanes()


class Leaving(SyncStoreError):
    """The member is asked to stop while it waits for something to pass; nothing of the batch was stored."""


class Delivery:
    """Applies records to an effect, exactly once each. `positions` is where the stored offsets are believed to be.

    With several lanes, the effect is applied to records of different partitions at the same time.
    """

    def __init__(
        self,
        effect: Effect,
        pool: Pool,
        metrics: ConsumerMetrics,
        *,
        leaving: asyncio.Event,
        highwater: Callable[[Partition], int] = lambda _: 0,
        longest_wait: float = 10.0,
        lanes: Lanes = ONE_LANE,
    ) -> None:
        self.positions: dict[Partition, int] = {}
        self._effect = effect
        self._pool = pool
        self._metrics = metrics
        self._leaving = leaving
        self._highwater = highwater
        self._longest_wait = longest_wait
        self._lanes = lanes
        self._holes: dict[Partition, tuple[int, int]] = {}
        """Where reading went on behind the stored offset, and at which one; looked at twice before it is believed."""

    def forget_hole(self, partition: Partition) -> None:
        """What is read next may have been on its way before."""
        self._holes.pop(partition, None)

    async def deliver(self, records: Sequence[Record]) -> None:
        """Apply records of one or more partitions, in order.

        Raises OffsetsMoved (read again from what is stored), Leaving.
        """
        owned = [record for record in records if partition_of(record) in self.positions]
        self._check_order(owned)
        # Of this batch alone: what `positions` say may change under it, when partitions are assigned meanwhile.
        stands = {partition: self.positions[partition] for partition in map(partition_of, owned)}
        lanes = [self._deliver(lane, stands) for lane in self._in_lanes(owned)]
        ended = await asyncio.gather(*lanes, return_exceptions=True)
        moved: set[Partition] = set()
        for failure in ended:
            if isinstance(failure, OffsetsMoved):
                moved |= failure.partitions
            elif failure is not None:
                raise failure
        if moved:
            raise OffsetsMoved(moved)

    def _in_lanes(self, records: Sequence[Record]) -> list[list[Record]]:
        """What has a key in common stays together: topics are cut alike, so lanes go by the number of a partition."""
        number = self._lanes.number if len(records) >= self._lanes.worth_it_from else 1
        lanes: list[list[Record]] = [[] for _ in range(number)]
        for record in records:
            lanes[record.partition % number].append(record)
        return [lane for lane in lanes if lane]

    async def _deliver(self, records: Sequence[Record], stands: dict[Partition, int]) -> None:
        undone: list[Sequence[Item]] = [[(record, event_of(record)) for record in records]]
        while undone:
            part = undone.pop()
            try:
                await self._persist_patiently(part, stands)
            except (OffsetsMoved, Leaving):
                raise
            except Exception as error:  # noqa: BLE001  # whatever an effect raises, its record must not stop the others
                if len(part) > 1:
                    middle = len(part) // 2
                    undone += [part[middle:], part[:middle]]
                else:
                    record, _ = part[0]
                    reason = f"{type(error).__name__}: {error}"
                    _log.error(
                        "record_parked",
                        consumer=self._effect.name,
                        topic=record.topic,
                        partition=record.partition,
                        offset=record.offset,
                        key=key_of(record),
                        reason=reason,
                    )
                    await self._persist_patiently([(record, Unreadable(reason))], stands)

    def _check_order(self, records: Sequence[Record]) -> None:
        """Raises OffsetsMoved when records do not begin at the stored offset: they were under way before we sought it.

        Where Kafka itself has nothing there, as in a compacted topic, they begin behind it once more when read again.
        """
        seen: set[Partition] = set()
        for record in records:
            partition = partition_of(record)
            position = self.positions[partition]
            if record.offset < position:
                raise OffsetsMoved({partition})
            if partition in seen:
                continue
            seen.add(partition)
            hole = position, record.offset
            if record.offset > position and self._holes.get(partition) != hole:
                self._holes[partition] = hole
                raise OffsetsMoved({partition})

    async def _persist_patiently(self, items: Sequence[Item], stands: dict[Partition, int]) -> None:
        attempt = 0
        while True:
            try:
                return await self._persist(items, stands)
            except OffsetsMoved:
                raise
            except Exception as error:
                attempt += 1
                if not passes_by_itself(error, attempt):
                    raise
                self._metrics.retries.labels(self._effect.name).inc()
                _log.warning("batch_will_be_retried", consumer=self._effect.name, attempt=attempt, error=repr(error))
                await self.pause(attempt)

    async def pause(self, attempt: int) -> None:
        """Wait before the next try.

        Raises Leaving at once when the member is asked to stop.
        """
        seconds = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), self._longest_wait)
        try:
            await asyncio.wait_for(self._leaving.wait(), seconds)
        except TimeoutError:
            return
        raise Leaving("asked to stop while waiting to try again")

    async def _persist(self, items: Sequence[Item], stands: dict[Partition, int]) -> None:
        name = self._effect.name
        began = time.perf_counter()
        steps = self._steps(items, stands)
        async with self._pool.connection() as connection, connection.transaction():
            # Two statements: only one that begins after the lock is held sees what a release has removed.
            await offsets.advance(connection, name, steps)
            waiting = await parking.parked_among(connection, name, {key_of(record) for record, _ in items})
            events, aside = _sort(items, waiting)
            if events:
                await self._effect.apply(connection, events)
            if aside:
                await parking.park(connection, name, aside)
        for step in steps:
            stands[step.partition] = step.next_offset
            if self.positions.get(step.partition) == step.expected:
                self.positions[step.partition] = step.next_offset
        self._metrics.applied.labels(name).inc(len(items))
        self._metrics.parked.labels(name).inc(len(aside))
        self._metrics.skipped.labels(name).inc(len(items) - len(events) - len(aside))
        self._metrics.seconds.labels(name).observe(time.perf_counter() - began)

    def _steps(self, items: Sequence[Item], stands: Mapping[Partition, int]) -> list[Step]:
        ends: dict[Partition, tuple[int, int]] = {}
        for record, event in items:
            partition = partition_of(record)
            _, position = ends.get(partition, (0, 0))
            reached = event.position if isinstance(event, RecordedEvent) else 0
            ends[partition] = (record.offset + 1, max(position, reached))
        return [
            Step(partition, stands[partition], end, position, self._highwater(partition))
            for partition, (end, position) in ends.items()
        ]


def _sort(items: Sequence[Item], waiting: set[str]) -> tuple[list[RecordedEvent], list[tuple[Record, str]]]:
    """Events to apply, and records to set aside because they cannot be read or their key already waits."""
    events: list[RecordedEvent] = []
    aside: list[tuple[Record, str]] = []
    for record, event in items:
        key = key_of(record)
        if key in waiting:
            aside.append((record, parking.AFTER_PARKED))
        elif isinstance(event, Unreadable):
            waiting.add(key)
            aside.append((record, event.reason))
        elif event is not None:
            events.append(event)
    return events, aside
