"""From where a member reads: the stored offsets, unless Kafka has nothing there any more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from infrastructure.kafka import offsets
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.offsets import Partition
from infrastructure.postgres.pool import Pool

_log: Final = structlog.get_logger(__name__)
REQUEST_SECONDS: Final = 10.0
"""Longest wait for an answer of Kafka about where partitions begin and end."""


async def starting_offsets(
    consumer: AIOKafkaConsumer, pool: Pool, name: str, partitions: Sequence[Partition], metrics: ConsumerMetrics
) -> dict[Partition, int]:
    """The stored offset of each partition, or a new one, which is stored, where Kafka has nothing to read there.

    Raises KafkaError, TimeoutError, and what PostgreSQL raises.
    """
    topic_partitions = [TopicPartition(*partition) for partition in partitions]
    async with asyncio.timeout(REQUEST_SECONDS):
        begins = await consumer.beginning_offsets(topic_partitions)
    starts = {Partition(*partition): offset for partition, offset in begins.items()}
    async with pool.connection() as connection, connection.transaction():
        await offsets.open_partitions(connection, name, starts)
        stored = await offsets.load_offsets(connection, name, partitions)
    async with asyncio.timeout(REQUEST_SECONDS):  # after the offsets: others may move them, and the ends, meanwhile
        ends = await consumer.end_offsets(topic_partitions)
    for partition, offset in stored.items():
        begin, end = begins[TopicPartition(*partition)], ends[TopicPartition(*partition)]
        if begin <= offset <= end:
            continue
        stored[partition] = begin
        metrics.lost.labels(name).inc()
        _log.error(
            "topic_was_recreated" if offset > end else "records_have_expired",
            consumer=name,
            topic=partition.topic,
            partition=partition.partition,
            stored=offset,
            first=begin,
            end=end,
            remedy="reading on from the first record; rebuild the views if records were lost",
        )
        async with pool.connection() as connection:
            await offsets.reset_offset(connection, name, partition, expected=offset, offset=begin)
    return stored
