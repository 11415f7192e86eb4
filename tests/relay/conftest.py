import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.kafka.client import KafkaSettings
from infrastructure.postgres.pool import WORKER, open_pool
from tests.relay.ground import DEADLINE, Ground, open_ground
from tests.relay.world import World, begin


@pytest.fixture
async def ground(database_url: str, kafka_bootstrap: str) -> AsyncIterator[Ground]:
    async with asyncio.timeout(2 * DEADLINE), open_ground(database_url, kafka_bootstrap) as ground:
        yield ground


@pytest.fixture
async def world(database_url: str, kafka_bootstrap: str) -> AsyncIterator[World]:
    async with open_pool(database_url, role=WORKER, name="tests-relay", max_size=16) as pool:
        yield await begin(pool, KafkaSettings(bootstrap=kafka_bootstrap))
