"""Schedules of fresh seeds for as long as one likes, on all processors."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count

from tests.simulation.running import Failed, run, twins


def run_many(names: list[str], first: int, seconds: float, processes: int) -> int:
    """Print what is found; answers 1 if something is, else 0."""
    print(f"first seed {first}", flush=True)
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as elsewhere:
        shares = [elsewhere.submit(share, names, first + number, processes, seconds) for number in range(processes)]
        done, steps, failures = map(sum, zip(*(share.result() for share in shares), strict=True))
    print(
        f"{done} schedules in {seconds:g} s by {processes} processes: {done / seconds * 60:,.0f} a minute, "
        f"{steps / done:.0f} steps each"
    )
    print(f"{failures} do not hold")
    return 1 if failures else 0


def share(names: list[str], first: int, step: int, seconds: float) -> tuple[int, int, int]:
    """Every `step`th seed for so long: how many schedules, how many steps, how many that do not hold."""
    done = steps = failures = 0
    end = time.perf_counter() + seconds
    with twins():
        for seed in count(first, step):
            if time.perf_counter() > end:
                break
            try:
                steps += run(names[done % len(names)], seed).loop.steps
            except Failed as failed:
                failures += 1
                print(failed, flush=True)
            done += 1
    return done, steps, failures
