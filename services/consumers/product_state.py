"""Product events -> the compacted topic that holds each product's latest state, for consumers that start late.

The state is folded from the event store, so it may be newer than the event that caused it, never older than what was
published before: one member holds a product's partition at a time. States are remembered, so that a product with a long
history costs what is new in it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import Any, Final, Protocol

import msgspec
from psycopg import AsyncConnection

from domain.messages import RecordedEvent
from domain.ports import EventStore
from domain.product.state import Product
from domain.values import category_of
from services.consumers.states import States

PAGE: Final = 1_000

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Producer(Protocol):
    """What is used of aiokafka's producer."""

    async def send(
        self, topic: str, value: bytes, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[object]:
        """Answers when the record is queued, with what to wait for until it is acknowledged."""
        ...


class PublishProductState:
    """An effect of the consumer "product-state"."""

    name = "product-state"

    def __init__(self, topics: tuple[str, ...], state_topic: str, store: EventStore, producer: Producer) -> None:
        self.topics = topics
        self._state_topic = state_topic
        self._states = States(store)
        self._producer = producer

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:  # noqa: ARG002  # the offsets alone are stored
        moved: dict[str, dict[str, RecordedEvent]] = defaultdict(dict)
        for event in events:
            if category_of(event.stream_id) == "product":
                moved[event.org_id][event.stream_id] = event
        sent: list[Awaitable[object]] = []
        for org_id, streams in moved.items():
            names = list(streams)
            for start in range(0, len(names), PAGE):
                # Whether or not that was published before: the topic may have been made anew.
                now = await self._states.read(org_id, names[start : start + PAGE])
                sent += [
                    await self._publish(one.last, one.state) for one in now.values() if isinstance(one.state, Product)
                ]
        await asyncio.gather(*sent)

    async def _publish(self, last: RecordedEvent, product: Product) -> Awaitable[object]:
        headers = [
            ("content-type", b"application/json"),
            ("ce_specversion", b"1.0"),
            ("ce_type", b"product.state"),
            ("ce_id", f"{last.stream_id}/{last.version}".encode()),
            ("ce_source", f"/syncstore/{last.org_id}".encode()),
            ("ce_subject", last.stream_id.encode()),
            ("ce_org", last.org_id.encode()),
            ("ce_sequence", str(last.version).encode()),
            ("ce_position", str(last.position).encode()),
            ("ce_time", last.recorded_at.isoformat().encode()),
        ]
        key = last.partition_key.encode()
        return await self._producer.send(self._state_topic, value=_encode(product), key=key, headers=headers)
