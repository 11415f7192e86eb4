"""A small world for views: facts go into the event store and into Kafka as the relay would bring them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry

from domain import events
from domain.events import DomainEvent
from domain.messages import Append, Appended, NewEvent, RecordedEvent
from domain.product.events import ProductCreated
from domain.values import category_of
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka import cloudevents
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.postgres.pool import WORKER, Pool
from projections.fill import Source
from projections.projection import AnyView
from projections.rebuild import Rebuilt, rebuild
from projections.registry import VIEWS
from projections.runner import Projections

ORG = "toko-sari"
DEADLINE = 30.0
KINDS = ("product", "stock", "listing", "connection")


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = DEADLINE) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def created(product_id: str, name: str, **others: Any) -> ProductCreated:
    return ProductCreated(
        product_id=product_id,
        name=name,
        **{"sku": f"SKU-{product_id[:8]}", "base_price": 195_000, **others},
    )


@dataclass
class Stage:
    url: str
    app: Pool
    worker: Pool
    kafka: KafkaSettings
    prefix: str
    producer: AIOKafkaProducer
    metrics: ConsumerMetrics = field(default_factory=lambda: ConsumerMetrics(CollectorRegistry()))

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}.{kind}" for kind in KINDS)

    @property
    def source(self) -> Source:
        return Source(self.url, WORKER)

    async def store(
        self, stream_id: str, *facts: DomainEvent, key: str | None = None, org: str = ORG
    ) -> Sequence[RecordedEvent]:
        """Facts into the event store alone; answers them as recorded."""
        store = PostgresEventStore(self.app)
        before = len(await store.read_stream(org, stream_id))
        new = []
        for fact in facts:
            name, schema, data = events.encode(fact)
            new.append(
                NewEvent(
                    event_id=uuid.uuid4(),
                    type=name,
                    schema=schema,
                    data=data,
                    occurred_at=datetime.now(UTC),
                    actor="user:sari",
                    correlation_id=uuid.uuid4(),
                )
            )
        outcome = await store.append(
            org,
            Append(
                stream_id=stream_id,
                partition_key=key or stream_id.partition("-")[2],
                expected_version=before,
                events=tuple(new),
            ),
        )
        assert isinstance(outcome, Appended)
        return await store.read_stream(org, stream_id, after=before)

    async def publish(self, facts: Sequence[RecordedEvent]) -> None:
        for fact in facts:
            await self.send(
                category_of(fact.stream_id), fact.partition_key.encode(), fact.data, cloudevents.headers_of(fact)
            )
        await self.producer.flush()

    async def send(
        self,
        kind: str,
        key: bytes,
        value: bytes,
        headers: Sequence[tuple[str, bytes | None]],
        partition: int | None = None,
    ) -> None:
        await self.producer.send_and_wait(
            f"{self.prefix}.{kind}", value=value, key=key, headers=list(headers), partition=partition
        )

    async def tell(self, stream_id: str, *facts: DomainEvent, key: str | None = None, org: str = ORG) -> int:
        """Facts into the event store and Kafka; answers the position of the last."""
        recorded = await self.store(stream_id, *facts, key=key, org=org)
        await self.publish(recorded)
        return recorded[-1].position

    async def build(self, *views: AnyView, **how: Any) -> list[Rebuilt]:
        return [
            await rebuild(view, self.source, self.worker, self.kafka, read_topics=self.topics, **how)
            for view in views or VIEWS
        ]

    def effect(self) -> Projections:
        return Projections(VIEWS, read_topics=self.topics)

    @asynccontextmanager
    async def running(self, members: int = 1) -> AsyncIterator[None]:
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(
                Consumer(self.effect(), self.worker, self.kafka, measure_every=0.2, metrics=self.metrics).run(stop)
            )
            for _ in range(members)
        ]
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(DEADLINE):
                await asyncio.gather(*tasks)

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        async with self.worker.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()


@asynccontextmanager
async def set_stage(url: str, app: Pool, worker: Pool, bootstrap: str) -> AsyncIterator[Stage]:
    prefix = f"t{uuid.uuid4().hex[:10]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [NewTopic(f"{prefix}.{kind}", num_partitions=3, replication_factor=1) for kind in KINDS]
        )
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        yield Stage(url, app, worker, KafkaSettings(bootstrap=bootstrap), prefix, producer)
    finally:
        await producer.stop()
