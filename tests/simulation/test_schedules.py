"""Schedules with fresh seeds for a while, and every one that has found something before."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.conftest import SCHEDULES
from tests.simulation.running import SCENARIOS, run

SECONDS: Final = 2.5
RECORDED: Final = [
    (scenario, int(seed))
    for line in Path(__file__).with_name("seeds.txt").read_text().splitlines()
    if line and not line.startswith("#")
    for scenario, seed, *_ in [line.split()]
]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whatever_happens_all_that_was_promised_holds(scenario: str, request: pytest.FixtureRequest) -> None:
    asked: int | None = request.config.getoption("--seed", default=None)
    seed = random.SystemRandom().randrange(2**32) if asked is None else asked
    until = time.process_time() + (0 if asked is not None else SECONDS)
    done = 0
    while done == 0 or time.process_time() < until:
        run(scenario, seed + done)
        done += 1
    request.node.user_properties.append((SCHEDULES, f"{scenario}: {done} schedules from seed {seed}"))


@pytest.mark.parametrize(("scenario", "seed"), RECORDED)
def test_a_schedule_that_once_failed_holds(scenario: str, seed: int) -> None:
    run(scenario, seed)
