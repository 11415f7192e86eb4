"""The database goes away under an effect: nothing is set aside, and the shop is told the last of everything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka import cloudevents, offsets, parking, topics
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.delivery import Delivery
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.records import StoredRecord
from infrastructure.postgres.errors import translated
from services.consumers.desired import DeriveDesired
from services.shops import images_max, price_bounds
from tests.services.consumers.stage import ORG, Stage

HOME = Partition(topics.PRODUCT, 0)


class Interrupted(PostgresEventStore):
    """Its connection is terminated in the middle of a read, once."""

    terminated = False

    async def streams_of(self, org_id: str, category: str, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        if not self.terminated:
            self.terminated = True
            with translated():
                async with self._pool.connection() as connection:
                    await connection.execute("set role none; select pg_terminate_backend(pg_backend_pid())")
        return await super().streams_of(org_id, category, after=after, limit=limit)


async def test_a_connection_lost_under_an_effect_sets_nothing_aside(stage: Stage) -> None:
    await stage.connect()
    await stage.create(base_price=100_000)
    await stage.deliver()
    await stage.change(base_price=200_000)
    (change,) = await stage.store.read_stream(ORG, "product-p1", after=1)
    store = Interrupted(stage.pool)
    read = (topics.PRODUCT,)
    desired = DeriveDesired(read, store, stage.pool, stage.listings, stage.clock, price_bounds(), images_max())
    member = Delivery(desired, stage.pool, ConsumerMetrics(CollectorRegistry()), leaving=asyncio.Event())
    async with stage.pool.connection() as connection:
        await offsets.open_partitions(connection, desired.name, {HOME: 0})
    member.positions[HOME] = 0
    await member.deliver([StoredRecord(*HOME, 0, b"p1", change.data, cloudevents.headers_of(change))])
    assert store.terminated
    assert await parking.list_parked(stage.pool) == []
    assert (await stage.targets())["price:BTK"] == 230_000
