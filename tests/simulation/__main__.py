"""`python -m tests.simulation`: many schedules with fresh seeds, or one again with all that happens in it."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.simulation.running import SCENARIOS, Failed, run, twins


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), help="one of them; all otherwise")
    parser.add_argument("--seed", type=int, help="run this schedule and print what happens")
    parser.add_argument("--first", type=int, default=random.SystemRandom().randrange(2**32), help="the first seed")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to go on")
    asked = parser.parse_args()
    names = [asked.scenario] if asked.scenario else sorted(SCENARIOS)
    with twins():
        if asked.seed is not None:
            return max(_replay(name, asked.seed) for name in names)
        return _many(names, asked.first, asked.seconds)


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


def _many(names: list[str], first: int, seconds: float) -> int:
    print(f"first seed {first}")
    began, used = time.perf_counter(), time.process_time()
    done = failures = steps = 0
    while time.perf_counter() - began < seconds:
        try:
            steps += run(names[done % len(names)], first + done).loop.steps
        except Failed as failed:
            failures += 1
            print(failed)
        done += 1
    spent = time.process_time() - used
    print(
        f"{done} schedules in {spent:.1f} s of one core: {done / spent * 60:,.0f} a minute, "
        f"{steps / done:.0f} steps each"
    )
    print(f"{failures} do not hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
