from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.simulation.running import twins

SCHEDULES: Final = "schedules"
"""What a test of fresh seeds says in the end, whether or not it has found something."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="run these schedules with this seed alone")


@pytest.fixture(autouse=True, scope="package")
def on_twins() -> Iterator[None]:
    with twins():
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    said = [
        text
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == SCHEDULES
    ]
    if said:
        terminalreporter.section("simulator")
        terminalreporter.write_line("\n".join(said))
