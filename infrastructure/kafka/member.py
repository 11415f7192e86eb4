"""A member of a consumer group: FastStream brings batches, the effect and the offsets are stored in one transaction.

The offsets in PostgreSQL are the truth. Kafka is told of them now and then, for its own tools to show; nothing reads
that back. At each assignment the member seeks to what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER

from infrastructure.kafka import offsets, parking
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.delivery import Delivery, Lanes, Leaving
from infrastructure.kafka.effect import Effect
from infrastructure.kafka.faststream_security import security_of
from infrastructure.kafka.offsets import OffsetsMoved, Partition
from infrastructure.kafka.records import Record
from infrastructure.kafka.starting import REQUEST_SECONDS, starting_offsets
from infrastructure.postgres.pool import Pool

_log: Final = structlog.get_logger(__name__)
IDLE_MILLISECONDS: Final = 20
METADATA_MILLISECONDS: Final = 15_000
"""So long a topic that was deleted and made anew may go unnoticed."""
LEAST_FETCH_BYTES: Final = 2**20
BYTES_OF_A_RECORD: Final = 1000
FEWEST_PARTITIONS: Final = 5
"""From so many, each with a backlog, one request brings a whole batch."""
LAST_BATCH_SECONDS: Final = 10.0
"""Longest wait for a batch under way when its partitions are taken away."""


def group_of(consumer: str) -> str:
    return f"syncstore.{consumer}"


class Member(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """From joining the group to leaving it."""

    def __init__(
        self,
        effect: Effect,
        pool: Pool,
        kafka: KafkaSettings,
        batch_size: int,
        lanes: Lanes,
        session_seconds: float,
        metrics: ConsumerMetrics,
    ) -> None:
        self._effect = effect
        self._pool = pool
        self._metrics = metrics
        self._leaving = asyncio.Event()
        self._busy = asyncio.Lock()
        self._failures = 0
        self._delivery = Delivery(effect, pool, metrics, leaving=self._leaving, highwater=self._highwater, lanes=lanes)
        self._broker = KafkaBroker(
            kafka.bootstrap,
            client_id=f"syncstore-{effect.name}",
            security=security_of(kafka),
            consumer_only=True,
            metadata_max_age_ms=METADATA_MILLISECONDS,
            apply_types=False,
            serializer=None,
            logger=None,
        )
        self._subscriber = self._broker.subscriber(
            *effect.topics,
            batch=True,
            group_id=group_of(effect.name),
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),  # topics keyed alike stay together
            session_timeout_ms=int(session_seconds * 1000),
            heartbeat_interval_ms=int(session_seconds * 300),
            max_partition_fetch_bytes=max(LEAST_FETCH_BYTES, batch_size * BYTES_OF_A_RECORD // FEWEST_PARTITIONS),
            batch_timeout_ms=IDLE_MILLISECONDS,
            max_records=batch_size,
            listener=self,
            parser=_whole,
            decoder=_undecoded,
            no_reply=True,
        )
        self._subscriber(self._handle)

    @property
    def positions(self) -> dict[Partition, int]:
        return self._delivery.positions

    async def join(self) -> None:
        """Raises aiokafka's KafkaError when no broker answers."""
        await self._broker.start()

    async def leave(self) -> None:
        """Let a batch under way finish, tell Kafka where we stand, leave the group."""
        self._leaving.set()
        async with self._busy:
            await self._tell_kafka()
        await self._broker.stop()
        self._give_up(list(self.positions))

    def _give_up(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self.positions.pop(partition, None)
            with suppress(KeyError):  # not measured yet
                self._metrics.lag.remove(self._effect.name, partition.topic, str(partition.partition))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Called by aiokafka before others get these partitions: a batch under way may finish first."""
        try:
            async with asyncio.timeout(LAST_BATCH_SECONDS), self._busy:
                await self._tell_kafka()
        except TimeoutError:
            _log.warning("batch_outlives_assignment", consumer=self._effect.name)
        self._give_up(Partition(*partition) for partition in revoked)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Called by aiokafka: go to the stored offsets."""
        partitions = [Partition(*partition) for partition in assigned]
        _log.info("partitions_assigned", consumer=self._effect.name, partitions=len(partitions))
        try:
            await self._return_to_stored(partitions, anew=True)
        except Leaving:
            return

    async def _handle(self, records: Any) -> None:
        async with self._busy:
            try:
                await self._delivery.deliver(records)
                self._failures = 0
            except Leaving:
                self.positions.clear()
            except OffsetsMoved as error:
                self._metrics.moved.labels(self._effect.name).inc()
                _log.warning(
                    "offsets_moved_by_another",
                    consumer=self._effect.name,
                    partitions=sorted(f"{p.topic}/{p.partition}" for p in error.partitions),
                )
                await self._start_over(records)
            except Exception:  # noqa: BLE001  # FastStream would swallow it and go on with the next batch
                self._failures += 1
                _log.exception("batch_failed", consumer=self._effect.name, attempt=self._failures)
                await self._start_over(records, failures=self._failures)

    async def _start_over(self, records: Sequence[Record], *, failures: int = 0) -> None:
        partitions = {Partition(record.topic, record.partition) for record in records}
        try:
            if failures:
                await self._delivery.pause(failures)
            await self._return_to_stored([p for p in partitions if p in self.positions])
        except Leaving:
            self.positions.clear()

    async def _return_to_stored(self, partitions: Sequence[Partition], *, anew: bool = False) -> None:
        """Seek to the stored offsets; records of a partition are dropped until that is done.

        `anew`: others may be reading meanwhile, so that what comes next need not come from there. Raises Leaving.
        """
        for partition in partitions:
            self.positions.pop(partition, None)
        attempt = 0
        while partitions:
            try:
                found = await starting_offsets(self._consumer, self._pool, self._effect.name, partitions, self._metrics)
                break
            except Exception as error:  # noqa: BLE001  # without its offsets a member can do nothing but try again
                attempt += 1
                _log.warning("offsets_not_loaded", consumer=self._effect.name, attempt=attempt, error=repr(error))
                await self._delivery.pause(attempt)
        else:
            return
        consumer = self._consumer
        owned = consumer.assignment()
        for partition, offset in found.items():
            if TopicPartition(*partition) in owned:
                consumer.seek(TopicPartition(*partition), offset)
                if anew:
                    self._delivery.forget_hole(partition)
                self.positions[partition] = offset

    async def measure(self) -> dict[Partition, int]:
        """Where the partitions of this member end in Kafka; publishes the lag, tells Kafka where we stand.

        What cannot be asked is logged and absent from the answer.
        """
        positions = dict(self.positions)
        if not positions:
            return {}
        name = self._effect.name
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                found = await self._consumer.end_offsets([TopicPartition(*partition) for partition in positions])
            ends = {Partition(*partition): end for partition, end in found.items()}
            async with self._pool.connection() as connection:
                await offsets.measure(connection, name, ends)
                stored = await offsets.load_offsets(connection, name, positions)
                keys, _ = await parking.count_parked(connection, name)
        except Exception as error:  # noqa: BLE001  # measuring must not end the consumer; the next turn tries again
            _log.warning("lag_not_measured", consumer=name, error=repr(error))
            return {}
        self._metrics.parked_now.labels(name).set(keys)
        for partition, end in ends.items():
            lag = max(end - positions[partition], 0)
            self._metrics.lag.labels(name, partition.topic, partition.partition).set(lag)
        astray = [
            partition
            for partition, position in positions.items()
            # The topic was made anew; or the database was, from a backup or by a standby that had missed something.
            if position > ends[partition] or position > stored.get(partition, -1)
        ]
        if astray:
            async with self._busy:
                await self._start_over_at(astray)
        await self._tell_kafka()
        return ends

    async def _start_over_at(self, partitions: Sequence[Partition]) -> None:
        try:
            await self._return_to_stored(partitions, anew=True)
        except Leaving:
            self.positions.clear()

    async def _tell_kafka(self) -> None:
        """A hint for Kafka's own tools."""
        positions = {TopicPartition(*partition): offset for partition, offset in self.positions.items()}
        if not positions or self._subscriber.consumer is None:
            return
        try:
            async with asyncio.timeout(REQUEST_SECONDS / 2):
                await self._subscriber.consumer.commit(positions)
        except (KafkaError, TimeoutError, ValueError) as error:
            _log.debug("hint_not_committed", consumer=self._effect.name, error=repr(error))

    def _highwater(self, partition: Partition) -> int:
        found = TopicPartition(*partition)
        consumer = self._consumer
        return (consumer.highwater(found) or 0) if found in consumer.assignment() else 0

    @property
    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self._subscriber.consumer
        if consumer is None:
            raise Leaving("the member has left the group")
        return consumer


async def _whole(records: Any) -> KafkaMessage:
    """FastStream's own parser decodes every header and follows `reply_to`; records are read further in instead."""
    return KafkaMessage(raw_message=records, body=b"", consumer=FAKE_CONSUMER)


async def _undecoded(message: KafkaMessage) -> Any:
    return message.raw_message
