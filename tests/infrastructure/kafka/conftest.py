"""A stage with a journal's table."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from infrastructure.postgres.pool import APP, WORKER, open_pool
from tests.infrastructure.kafka.journal import Journal
from tests.projections.stage import Stage, set_stage


@pytest.fixture
async def stage(database_url: str, kafka_bootstrap: str) -> AsyncIterator[Stage]:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute("create table journal (id bigserial, stream_id text, version integer)")
        await owner.execute("grant all on journal, journal_id_seq to syncstore_worker")
    async with (
        open_pool(database_url, role=APP, name="tests-app", max_size=4) as app,
        open_pool(database_url, role=WORKER, name="tests-worker", max_size=8) as worker,
        set_stage(database_url, app, worker, kafka_bootstrap) as stage,
    ):
        yield stage


@pytest.fixture
def journal(stage: Stage) -> Journal:
    return Journal(stage.topics)
