"""Sends rows to Kafka in order per key: one batch per partition at a time, on one idempotent producer.

A batch names its partition; one that does not would be scattered. What Kafka refuses for good is told from what may
succeed later: the first parks a key, the second makes the relay try again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from msgspec import Struct

from domain.errors import SyncStoreError
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.cloudevents import headers_of
from infrastructure.outbox.reader import Pending, Refused
from relay.routing import partition_of, topic_of

BATCH_BYTES: Final = 900 * 1024
"""Just under the largest batch a broker takes by default."""
REQUEST_MILLISECONDS: Final = 8_000
FOR_GOOD: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    CorruptRecordException,
    InvalidTimestampError,
)

Partition = tuple[str, int]


class SendingFailed(SyncStoreError):
    """Kafka could not be reached, or the producer has to be built anew. What was not acknowledged is read again."""


class Published(Struct, frozen=True):
    acknowledged: list[Pending]
    refused: list[Refused]
    """To be parked: rows that Kafka will never take, and those of their keys behind them."""
    left: list[Pending]
    """For which there was no room in this batch; they stay where they are."""


class Publisher:
    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._producer: Any = None
        self._partitions: dict[str, int] = {}

    async def open(self) -> None:
        """Raises SendingFailed."""
        producer = AIOKafkaProducer(
            **self._kafka.client_options(),
            client_id="syncstore-relay",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=BATCH_BYTES * 2,
            request_timeout_ms=REQUEST_MILLISECONDS,
            linger_ms=0,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise SendingFailed(f"Kafka at {self._kafka.bootstrap}: {error!r}") from error
        self._producer = producer
        self._partitions = {}

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (TimeoutError, KafkaError):
                return  # it is given up; what it had not delivered is still in the outbox

    async def publish(self, rows: Sequence[Pending]) -> Published:
        """Rows in order; waits for their acknowledgements.

        Raises SendingFailed.
        """
        refused: list[Refused] = []
        left: list[Pending] = []
        sent: dict[Partition, list[Pending]] = defaultdict(list)
        batches: dict[Partition, Any] = {}
        full: set[Partition] = set()
        refused_keys: set[str] = set()
        for row in rows:
            if row.partition_key in refused_keys:
                refused.append(Refused(row, None))
                continue
            topic = topic_of(row.stream_id)
            if topic is None:
                refused_keys.add(row.partition_key)
                refused.append(Refused(row, f"no topic carries streams like {row.stream_id!r}"))
                continue
            key = row.partition_key.encode()
            where = (topic, partition_of(key, await self._count(topic)))
            if where in full:
                left.append(row)
                continue
            batch = batches.get(where)
            if batch is None:
                batch = batches[where] = self._producer.create_batch()
            if batch.append(key=key, value=row.data, timestamp=None, headers=headers_of(row)) is not None:
                sent[where].append(row)
            elif sent[where]:
                full.add(where)
                left.append(row)
            else:
                refused_keys.add(row.partition_key)
                refused.append(Refused(row, f"larger than the {BATCH_BYTES} bytes that are sent"))
        acknowledged = await self._send(batches, sent, refused)
        return Published(acknowledged, refused, left)

    async def _send(
        self, batches: dict[Partition, Any], sent: dict[Partition, list[Pending]], refused: list[Refused]
    ) -> list[Pending]:
        chosen = [where for where in batches if sent[where]]
        try:
            for where in chosen:
                batches[where].close()
            pending = [
                await self._producer.send_batch(batches[where], where[0], partition=where[1]) for where in chosen
            ]
        except (KafkaError, OSError) as error:
            raise SendingFailed(repr(error)) from error
        results = await asyncio.gather(*pending, return_exceptions=True)
        acknowledged: list[Pending] = []
        for where, result in zip(chosen, results, strict=True):
            if not isinstance(result, BaseException):
                acknowledged += sent[where]
            elif isinstance(result, FOR_GOOD):
                acknowledged += await self._one_by_one(where, sent[where], refused)
            elif isinstance(result, KafkaError | OSError):
                raise SendingFailed(repr(result)) from result
            else:
                raise result
        return acknowledged

    async def _one_by_one(self, where: Partition, rows: Sequence[Pending], refused: list[Refused]) -> list[Pending]:
        """A batch was refused as a whole, so none of it is there: find out which of its rows are to blame."""
        acknowledged: list[Pending] = []
        refused_keys: set[str] = set()
        for row in rows:
            if row.partition_key in refused_keys:
                refused.append(Refused(row, None))
                continue
            batch = self._producer.create_batch()
            batch.append(key=row.partition_key.encode(), value=row.data, timestamp=None, headers=headers_of(row))
            batch.close()
            try:
                await (await self._producer.send_batch(batch, where[0], partition=where[1]))
            except FOR_GOOD as error:
                refused_keys.add(row.partition_key)
                refused.append(Refused(row, f"{type(error).__name__}: Kafka does not take it"))
            except (KafkaError, OSError) as error:
                raise SendingFailed(repr(error)) from error
            else:
                acknowledged.append(row)
        return acknowledged

    async def _count(self, topic: str) -> int:
        count = self._partitions.get(topic)
        if count is None:
            try:
                async with asyncio.timeout(REQUEST_MILLISECONDS / 1000):
                    count = len(await self._producer.partitions_for(topic))
            except (KafkaError, OSError, TimeoutError) as error:
                raise SendingFailed(f"{topic}: {error!r}; is it there? See: syncstore topics") from error
            self._partitions[topic] = count
        return count
