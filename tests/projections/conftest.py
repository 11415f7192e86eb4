from collections.abc import AsyncIterator

import pytest

from infrastructure.postgres.pool import APP, WORKER, open_pool
from tests.projections.stage import Stage, set_stage


@pytest.fixture
async def stage(database_url: str, kafka_bootstrap: str) -> AsyncIterator[Stage]:
    async with (
        open_pool(database_url, role=APP, name="tests-app", max_size=4) as app,
        open_pool(database_url, role=WORKER, name="tests-worker", max_size=10) as worker,
        set_stage(database_url, app, worker, kafka_bootstrap) as stage,
    ):
        yield stage
