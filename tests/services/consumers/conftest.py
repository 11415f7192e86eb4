from __future__ import annotations

import pytest

from infrastructure.postgres.pool import Pool
from tests.services.consumers.stage import Stage


@pytest.fixture
def stage(worker_pool: Pool) -> Stage:
    return Stage(worker_pool)
