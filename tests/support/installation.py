"""Products written as use cases write them, and topics without anything in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from domain import events
from domain.events import DomainEvent
from domain.messages import Append, Appended, NewEvent
from domain.product.events import ProductCreated, ProductRenamed
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import TABLE


async def create(store: PostgresEventStore, org: str, sku: str) -> str:
    """The id of a new product."""
    product = str(uuid4())
    await append(store, org, product, 0, ProductCreated(product_id=product, sku=sku, name=sku, base_price=1_000))
    return product


async def rename(store: PostgresEventStore, org: str, product: str, version: int, name: str) -> None:
    await append(store, org, product, version, ProductRenamed(old="", new=name))


async def append(store: PostgresEventStore, org: str, product: str, version: int, fact: DomainEvent) -> None:
    type_, schema, data = events.encode(fact)
    new = NewEvent(
        event_id=uuid4(),
        type=type_,
        schema=schema,
        data=data,
        occurred_at=datetime.now(UTC),
        actor="user:rina",
        correlation_id=uuid4(),
    )
    outcome = await store.append(
        org,
        Append(stream_id=f"product-{product}", partition_key=product, expected_version=version, events=(new,)),
    )
    assert isinstance(outcome, Appended), outcome


async def empty_topics(kafka: KafkaSettings) -> None:
    """None of the declared ones is there afterwards."""
    names = {topic.name for topic in TABLE}
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    try:
        if there := names & set(await admin.list_topics()):
            await admin.delete_topics(sorted(there))

        async def gone() -> bool:
            return not names & set(await admin.list_topics())

        await until(gone, 30)
    finally:
        await admin.close()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float, *, every: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(every)
