"""The check at the end of a run sees what is in Kafka, and lets pass what is wrong on purpose alone."""

from __future__ import annotations

import asyncio
import uuid

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PRODUCT, create_or_check
from tests.support.traffic import read_records, undeclared_traffic


async def test_wrong_records_are_told_by_their_place_unless_they_are_planted(kafka_bootstrap: str) -> None:
    kafka = KafkaSettings(bootstrap=kafka_bootstrap)
    stray, planted = f"t{uuid.uuid4().hex[:10]}.stray", f"poison-{uuid.uuid4().hex[:10]}".encode()
    async with asyncio.timeout(30):
        await create_or_check(kafka)
        admin = AIOKafkaAdminClient(**kafka.client_options())
        await admin.start()
        try:
            await admin.create_topics([NewTopic(stray, 1, 1)])
        finally:
            await admin.close()
        async with AIOKafkaProducer(**kafka.client_options()) as producer:
            await producer.send_and_wait(PRODUCT, b"{", planted)
            await producer.send_and_wait(stray, b"{", b"p1")
        assert planted in {record.key async for record in read_records(kafka, [PRODUCT])}
        assert not [line for line in await undeclared_traffic(kafka, [PRODUCT]) if "ce_type ''" in line]
        assert await undeclared_traffic(kafka, [stray]) == [f"{stray}/0/0: topic {stray} is not declared"]
