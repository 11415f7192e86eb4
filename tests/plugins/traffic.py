"""At the end of a run, whatever its tests brought to the declared topics must be as the AsyncAPI document says.

A test that writes something wrong on purpose gives it a key that begins with "poison-" or the organisation "poison".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import TABLE
from infrastructure.local_stack.stack import Condition, LocalStack
from tests.support.traffic import undeclared_traffic

SHOWN = 20
DEADLINE = 60


@pytest.fixture(scope="session", autouse=True)
def declared_traffic(session_stack: LocalStack) -> Iterator[None]:
    """Ends before the session's servers do. Where no test asked for Kafka, there is nothing to read."""
    yield
    kafka = session_stack.status().kafka
    if kafka.condition is not Condition.RUNNING:
        return
    wrong = asyncio.run(asyncio.wait_for(_read_all(KafkaSettings(bootstrap=f"127.0.0.1:{kafka.port}")), DEADLINE))
    assert not wrong, f"{len(wrong)} things in Kafka are not as declared:\n" + "\n".join(wrong[:SHOWN])


async def _read_all(kafka: KafkaSettings) -> list[str]:
    admin = AIOKafkaAdminClient(**kafka.client_options())
    await admin.start()
    try:
        there = set(await admin.list_topics())
    finally:
        await admin.close()
    topics = [topic.name for topic in TABLE if topic.name in there]
    return await undeclared_traffic(kafka, topics) if topics else []
