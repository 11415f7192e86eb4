"""The idempotent producer: made, renewed when it is no good any more, given up without waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from domain.errors import SyncStoreError
from infrastructure.kafka.client import KafkaSettings

BATCH_BYTES: Final = 512 * 1024
"""Half of the largest batch that a broker takes by default."""
REQUEST_MILLISECONDS: Final = 3_000


class SendingFailed(SyncStoreError):
    """Kafka cannot be reached, or a topic is missing. What was not acknowledged is read again."""


AWAY: Final = (SendingFailed, KafkaError, OSError)  # TimeoutError is an OSError
"""Kafka takes no events at present."""


class Producer:
    """Raises SendingFailed, or aiokafka's errors, for which `abandon()` is the answer."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._client: Any = None
        self._partitions: dict[str, int] = {}

    @property
    def is_open(self) -> bool:
        return self._client is not None

    async def open(self) -> None:
        client = AIOKafkaProducer(
            **self._kafka.client_options(),
            client_id="syncstore-relay",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_MILLISECONDS,
            metadata_max_age_ms=60_000,
        )
        try:
            async with asyncio.timeout(2 * REQUEST_MILLISECONDS / 1000):
                await client.start()
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            await _give_up(client)
            raise SendingFailed(f"Kafka at {self._kafka.bootstrap} does not answer: {error!r}") from error
        self._client, self._partitions = client, {}

    async def renew(self) -> None:
        await self.abandon()
        await self.open()

    async def abandon(self) -> None:
        """Nothing that was handed over and not acknowledged is sent after this."""
        client, self._client = self._client, None
        if client is not None:
            await _give_up(client)

    async def partitions(self, topic: str) -> int:
        count = self._partitions.get(topic)
        if count is None:
            found = await self._there().client.fetch_all_metadata()
            there = found.partitions_for_topic(topic)
            if not there:
                raise SendingFailed(f"Kafka has no topic {topic}; make it with: syncstore topics")
            count = self._partitions[topic] = len(there)
        return count

    def batch(self) -> Any:
        return self._there().create_batch()

    async def send(self, batch: Any, topic: str, partition: int) -> Awaitable[Any]:
        """Answers when the batch is queued, with what to wait for until it is acknowledged."""
        acknowledged: Awaitable[Any] = await self._there().send_batch(batch, topic, partition=partition)
        return acknowledged

    def _there(self) -> Any:
        if self._client is None:
            raise SendingFailed("the producer has been given up")
        return self._client


async def _give_up(client: Any) -> None:
    """As `stop()`, which would first wait until everything is delivered: for ever, if Kafka is gone."""
    sender = client._sender  # noqa: SLF001  # there is no public way to stop sending at once
    task = sender.sender_task if sender is not None else None
    if task is not None:
        task.cancel()
    await client.client.close()
    if task is not None:
        with suppress(KafkaError, OSError, asyncio.CancelledError):  # TimeoutError is an OSError
            async with asyncio.timeout(1):
                await task
    client._closed = True  # noqa: SLF001  # or it complains of not having been stopped when it is collected
