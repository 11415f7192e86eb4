"""`python -m tests.simulation`: many schedules with fresh seeds, or one again with all that happens in it."""

from __future__ import annotations

import argparse
import os
import random
import sys

from tests.simulation.many import run_many
from tests.simulation.running import SCENARIOS, Failed, run, twins


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="one of them; all otherwise")
    parser.add_argument("--seed", type=int, help="run this schedule and print what happens")
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(2**32), help="the first seed")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that share the seeds")
    asked = parser.parse_args()
    names = [asked.scenario] if asked.scenario else sorted(SCENARIOS)
    if asked.seed is None:
        return run_many(names, asked.first, asked.seconds, asked.processes)
    with twins():
        return max(_replay(name, asked.seed) for name in names)


def _replay(scenario: str, seed: int) -> int:
    try:
        world = run(scenario, seed)
    except Failed as failed:
        print("\n".join(failed.trace))
        print(failed)
        return 1
    print("\n".join(world.database.trace))
    print(f"scenario={scenario} seed={seed}: holds, after {world.loop.steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
