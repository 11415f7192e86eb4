"""Records that cannot be taken, and a topic that is gone."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infrastructure.kafka import parking
from infrastructure.kafka.topics import PRODUCT, STOCK, TABLE
from infrastructure.outbox import operations
from infrastructure.outbox.leases import Leases
from projections.runner import LIVE
from tests.proof.faults.fault import Fault, syncstore
from tests.proof.system import PATIENCE, System, until
from tests.proof.traffic import Traffic


class PoisonForProjector(Fault):
    name = "a record that the projector cannot read"
    planted = 1

    async def strike(self, system: System, traffic: Traffic) -> str:
        key = traffic.products[0].id
        async with AIOKafkaProducer(**system.kafka.client_options()) as producer:
            await producer.send_and_wait(PRODUCT, b"{", key.encode(), headers=[("ce_id", b"poison")])

        async def parked() -> bool:
            return any(one.key == key for one in await parking.list_parked(system.pool, LIVE))

        await until(parked, what="for the record to be parked")
        await asyncio.sleep(2)
        (behind,) = await system.row("select count(*) from consumer_parked where key = %s", key)
        told = f"{behind} records of its key were parked with it"
        dropped: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while waiting := [one for one in await parking.list_parked(system.pool) if one.key == key]:
                for one in waiting:
                    if one.consumer not in dropped:
                        await parking.drop(system.pool, one.consumer, one.key, because="planted", by="proof")
                        dropped.add(one.consumer)
                        continue
                    await syncstore(system, "consumers", "release", one.consumer, one.key)
        return f"{told}; dropped, the others released in order"


class PoisonForRelay(Fault):
    name = "an event that Kafka refuses"

    async def strike(self, system: System, traffic: Traffic) -> str:
        await _limit(system, 100_000)
        product = await traffic.store_large(200_000)

        async def parked() -> bool:
            return any(one.key == product and one.events == 2 for one in await operations.parked(system.pool))

        await until(parked, what="for the event to be parked")
        await _limit(system, 1_048_588)
        await syncstore(system, "relay", "release", product)
        return "it and the next of its product waited until Kafka took more; released in order"


class TopicDeleted(Fault):
    name = "the topic of stock deleted, made anew and fed again from the event store"
    passes = 4

    async def strike(self, system: System, traffic: Traffic) -> str:
        async with AsyncExitStack() as frozen:
            for pid in system.pids("relay"):
                frozen.enter_context(system.stopped(pid))

            async def nobody_relays() -> bool:
                return not await Leases(system.pool, "").owners()

            await until(nobody_relays)
            admin = AIOKafkaAdminClient(**system.kafka.client_options())
            await admin.start()
            try:
                await admin.delete_topics([STOCK])

                async def gone() -> bool:
                    return STOCK not in await admin.list_topics()

                await until(gone)
            finally:
                await admin.close()
            await syncstore(system, "topics")
            started = time.monotonic()
            await syncstore(system, "relay", "republish", "--from-position", "0", "--topic", STOCK)
            took = time.monotonic() - started
        (events,) = await system.row("select count(*) from events where stream_id like 'stock-%%'")
        return f"{events} events fed again in {took:.1f} s while the relays were stopped"


async def _limit(system: System, size: int) -> None:
    """Of a record of a product, in bytes."""
    admin = AIOKafkaAdminClient(**system.kafka.client_options())
    await admin.start()
    try:
        config = next(topic.config for topic in TABLE if topic.name == PRODUCT) | {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PRODUCT, configs=config)])
    finally:
        await admin.close()
