"""Each mistake is noticed by some schedule among the first so many; without it the same schedules hold."""

from __future__ import annotations

from typing import Final

import pytest

from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import Mutant, MutantStatement
from tests.simulation.running import Failed, run

SEEDS: Final = 3_000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mistake_is_noticed(mutant: Mutant | MutantStatement) -> None:
    with mutant.alive():
        for seed in range(SEEDS):
            try:
                run(mutant.scenario, seed)
            except Failed as failed:
                print(f"seed={seed}: {failed}")
                break
        else:
            pytest.fail(f"{SEEDS} schedules do not notice that the code {mutant.name}")
    run(mutant.scenario, seed)  # it was the mistake
