from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.running import twins


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="run these schedules with this seed alone")


@pytest.fixture(autouse=True, scope="package")
def on_twins() -> Iterator[None]:
    with twins():
        yield
