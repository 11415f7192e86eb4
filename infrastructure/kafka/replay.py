"""Reading topics from remembered offsets up to a known end, outside any consumer group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Final, Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from domain.errors import SyncStoreError
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.records import Record

POLL_MILLISECONDS: Final = 500


class TopicMissing(SyncStoreError):
    """A topic that should be read does not exist."""


class RecordsExpired(SyncStoreError):
    """Kafka no longer holds the records from the remembered offset on."""


class Sent(Record, Protocol):
    """A record as its topic holds it."""

    @property
    def timestamp(self) -> int:
        """When it was sent, in Unix milliseconds."""
        ...


class Replay:
    """A reader of whole topics. Use as an async context manager."""

    def __init__(self, kafka: KafkaSettings, topics: Iterable[str]) -> None:
        self._topics = tuple(topics)
        self._known: list[TopicPartition] = []
        self._admin = AIOKafkaAdminClient(**kafka.client_options())
        self._consumer = AIOKafkaConsumer(
            **kafka.client_options(), enable_auto_commit=False, auto_offset_reset="none", group_id=None
        )

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            await self._admin.start()
        except BaseException:
            await self._consumer.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._admin.close()
        await self._consumer.stop()

    async def ends(self) -> dict[Partition, int]:
        """Where each partition ends now.

        Raises TopicMissing.
        """
        found = await self._consumer.end_offsets(await self._partitions())
        return {Partition(*partition): end for partition, end in found.items()}

    async def begins(self) -> dict[Partition, int]:
        """The first offset that each partition still holds.

        Raises TopicMissing.
        """
        found = await self._consumer.beginning_offsets(await self._partitions())
        return {Partition(*partition): begin for partition, begin in found.items()}

    async def records(
        self, start: Mapping[Partition, int], until: Mapping[Partition, int], *, batch_size: int = 5000
    ) -> AsyncIterator[list[Sent]]:
        """Records from `start` up to `until`, in batches, in order per partition.

        Raises RecordsExpired.
        """
        at = {partition: offset for partition, offset in start.items() if offset < until.get(partition, 0)}
        if not at:
            return
        begins = await self._consumer.beginning_offsets([TopicPartition(*partition) for partition in at])
        for partition, offset in at.items():
            if offset < begins[TopicPartition(*partition)]:
                raise RecordsExpired(
                    f"{partition.topic}/{partition.partition} begins after the remembered offset {offset}: start anew"
                )
        self._consumer.assign([TopicPartition(*partition) for partition in at])
        for partition, offset in at.items():
            self._consumer.seek(TopicPartition(*partition), offset)
        while at:
            found = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=batch_size)
            batch: list[Sent] = []
            for topic_partition, records in found.items():
                end = until[Partition(*topic_partition)]
                batch += [record for record in records if record.offset < end]
            if batch:
                yield batch
            for partition in list(at):
                at[partition] = await self._consumer.position(TopicPartition(*partition))
                if at[partition] >= until[partition]:
                    del at[partition]
                    self._consumer.pause(TopicPartition(*partition))

    async def _partitions(self) -> list[TopicPartition]:
        if self._known:
            return self._known
        described = await self._admin.describe_topics(list(self._topics))
        missing = sorted(topic["topic"] for topic in described if topic["error_code"])
        if missing:
            raise TopicMissing(f"Kafka has no topic {', '.join(missing)}; make them with: syncstore topics")
        self._known = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]
        return self._known
