"""Sends rows to Kafka in order per key: one batch per partition at a time, on one idempotent producer.

A batch names its partition; one that does not would be scattered. What Kafka refuses for good is told from what may
succeed later: the first parks a key, the second makes the relay try again with a new producer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from msgspec import Struct

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.cloudevents import Header, headers_from
from infrastructure.kafka.partitions import partition_of
from infrastructure.outbox.reader import Pending, Refused
from relay.producer import AWAY, Producer
from relay.routing import topic_of

REFUSED: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
"""Said of what a record is, not of how the cluster, or a clock, is at present."""

YIELD_ROWS: Final = 250
"""So often other tasks get their turn while batches are made: the next read, above all."""

Partition = tuple[str, int]


class Batch(Struct):
    builder: Any
    rows: list[Pending]


class Batches(Struct):
    """Rows made ready to be sent."""

    rows: Sequence[Pending] = ()
    by_partition: dict[Partition, list[Batch]] = {}
    refused: list[Refused] = []
    """Those that have nowhere to go."""


class Published(Struct):
    """What became of rows. Those in neither list were not sent, or nothing is known of them: `failure` says why."""

    acknowledged: list[Pending] = []
    refused: list[Refused] = []
    """To be parked: rows that Kafka will never take, and those of their keys behind them."""
    failure: Exception | None = None

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


class Publisher:
    def __init__(self, kafka: KafkaSettings, *, marks: Sequence[Header] = ()) -> None:
        self.producer = Producer(kafka)
        self._marks = marks
        """Headers that every record gets besides those of its event."""

    async def publish(self, batches: Batches, *, patience: float) -> Published:
        """Rows in order; waits for their acknowledgements, at most `patience` seconds.

        Afterwards nothing of them is on its way: what was not acknowledged in time goes down with the producer.
        """
        published = Published(acknowledged=[], refused=[*batches.refused])
        partitions = batches.by_partition
        try:
            async with asyncio.timeout(patience):
                sent = [self._send(partition, parts, published) for partition, parts in partitions.items()]
                outcomes = await asyncio.gather(*sent, return_exceptions=True)
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
                for partition, left in zip(partitions, outcomes, strict=True):
                    await self._one_by_one(partition, left, published)  # type: ignore[arg-type]  # no exception is left
        except AWAY as error:
            published.failure = error
            await self.producer.abandon()
        return published

    async def abandon(self) -> None:
        """Nothing that was not acknowledged is sent after this."""
        await self.producer.abandon()

    async def prepare(self, rows: Sequence[Pending]) -> Batches:
        """Batches of rows in order; may go on while others are published. Raises AWAY."""
        made = Batches(rows=rows)
        batches = made.by_partition
        nowhere: set[bytes] = set()
        counts: dict[str, int] = {}
        now = int(time.time() * 1000)
        for number, row in enumerate(rows):
            if number % YIELD_ROWS == YIELD_ROWS - 1:
                await asyncio.sleep(0)
            key, topic = row.partition_key, topic_of(row.stream_id)
            if topic is None or key in nowhere:
                reason = None if key in nowhere else f"no topic carries streams like {row.stream_id.decode()!r}"
                nowhere.add(key)
                made.refused.append(Refused(row, reason))
                continue
            if topic not in counts:
                counts[topic] = await self.producer.partitions(topic)
            where = (topic, partition_of(key, counts[topic]))
            headers = self._headers(row)
            parts = batches.get(where)
            if parts is None:
                parts = batches[where] = [Batch(self.producer.batch(), [])]
            batch = parts[-1]
            if batch.builder.append(timestamp=now, key=key, value=row.data, headers=headers) is None:
                batch = Batch(self.producer.batch(), [])
                parts.append(batch)
                # The first record of a batch is taken whatever its size; whether Kafka takes it is for Kafka to say.
                batch.builder.append(timestamp=now, key=key, value=row.data, headers=headers)
            batch.rows.append(row)
        return made

    async def _send(self, partition: Partition, batches: Sequence[Batch], published: Published) -> list[Pending]:
        """One after the other; from a refused one on, the rows are answered that are not there."""
        for number, batch in enumerate(batches):
            try:
                await (await self._queue(partition, batch.builder))
            except REFUSED:
                return [row for part in batches[number:] for row in part.rows]
            published.acknowledged += batch.rows
        return []

    async def _one_by_one(self, partition: Partition, rows: Sequence[Pending], published: Published) -> None:
        """A batch was refused as a whole: find out which of its rows are to blame.

        A producer that was refused has counted on nevertheless, and Kafka would take nothing more from it for that
        partition: each refusal costs a new one.
        """
        if rows:
            await self.producer.renew()
        refused_keys: set[bytes] = set()
        for row in rows:
            if row.partition_key in refused_keys:
                published.refused.append(Refused(row, None))
                continue
            builder = self.producer.batch()
            builder.append(
                timestamp=int(time.time() * 1000),
                key=row.partition_key,
                value=row.data,
                headers=self._headers(row),
            )
            try:
                await (await self._queue(partition, builder))
            except REFUSED as error:
                refused_keys.add(row.partition_key)
                published.refused.append(Refused(row, f"{type(error).__name__}: Kafka does not take it"))
                await self.producer.renew()
            else:
                published.acknowledged.append(row)

    def _headers(self, row: Pending) -> list[Header]:
        headers = headers_of(row)
        headers += self._marks
        return headers

    async def _queue(self, partition: Partition, builder: Any) -> Awaitable[Any]:
        builder.close()
        return await self.producer.send(builder, *partition)


def headers_of(row: Pending) -> list[Header]:
    (position, _, _, _, _, _, type_, schema, org, actor, event_id, stream, version, at, stored, why, cause, batch) = row
    return headers_from(type_, schema, org, actor, event_id, stream, version, position, at, stored, why, cause, batch)
