"""Events per second of a rebuild, and the memory of its processes."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

import psycopg

from projections.catalogue.projector import CATALOGUE
from projections.progress import Progress as RebuildProgress
from projections.rebuild import build_missing, rebuild
from projections.verify import verify
from tests.benchmarks import part, processors
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.ground import ground, load_products
from tests.benchmarks.part import Size
from tests.benchmarks.progress import Progress

PROCESSES: Final = 2
ABOUT: Final = f"""
The catalogue view is built anew from the event store by {PROCESSES} processes: filled, indexed, caught up, compared
with the live one and put in its place. The control reads the same events once, stream by stream in order, over one
connection, and throws them away. Processor time is of the processes and PostgreSQL while they fill: what an event takes
of all, divided by the processors there are, is the least time it can take here. The switch is timed for as long as it
holds up readers and the live runner. PostgreSQL does not wait for the disk here.
"""
READING: Final = "reading the events alone"
FILLING: Final = "SyncStore, filling alone"
READ: Final = """
copy (select org_id, stream_id, version, type, data from events order by org_id, stream_id, version) to stdout
"""


class Plan(NamedTuple):
    products: int
    events: int
    """Of each product."""
    rounds: int


PLANS: Final = {
    Size.SMALL: (Plan(500, 10, 2),),
    Size.FULL: (Plan(100_000, 10, 3),),
    Size.LARGE: (Plan(100_000, 10, 3), Plan(100_000, 100, 1), Plan(1_000_000, 10, 1)),
}


class Filling:
    """Processor seconds from now on until a rebuild has filled its generation."""

    ME: Final = "the processes that fill"

    def __init__(self) -> None:
        self._before = processors.spent(self.ME)
        self.spent: Mapping[str, float] = {}

    def at(self, progress: RebuildProgress) -> None:
        if progress.stage == "indexing":
            self.spent = processors.since(self._before, self.ME)


async def measure(size: Size, progress: Progress) -> Part:
    """The catalogue view, built anew."""
    found = Part(name="rebuild", title="Rebuild of a view", about=ABOUT)
    progress.steps = sum(plan.rounds + 1 for plan in PLANS[size])
    for plan in PLANS[size]:
        events = plan.products * plan.events
        title = f"{events:,} events of {plan.products:,} products"
        comparison = Comparison(title=title, unit="events/s", control=READING)
        found.comparisons.append(comparison)
        async with ground() as (source, pool, kafka):
            progress.step(f"{events:,} events into the store")
            assert await asyncio.to_thread(load_products, source.url, plan.products, events=plan.events) == events
            await build_missing([CATALOGUE], source, pool, kafka)
            held = []
            costs: list[Mapping[str, float]] = []
            for number in range(plan.rounds):
                progress.step(f"round {number + 1} of {plan.rounds}")
                comparison.add(READING, events / await asyncio.to_thread(read, source.url))
                filling = Filling()
                rebuilt = await rebuild(CATALOGUE, source, pool, kafka, processes=PROCESSES, progress=filling.at)
                comparison.add(OURS, events / rebuilt.seconds)
                comparison.add(FILLING, events / rebuilt.fill_seconds)
                held.append(rebuilt.held_seconds)
                costs.append(filling.spent)
            found.facts[f"milliseconds that the switch held up others, {title}"] = round(max(held) * 1000, 1)
            found.facts |= processors.facts(costs, events, title)
            found.facts[f"sound, {title}"] = (await verify(CATALOGUE, source)).is_sound
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    found.facts["peak megabytes of a process that fills"] = round(peak / 1024)
    return found


def read(url: str) -> float:
    """Seconds."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        began = time.perf_counter()
        with cursor.copy(READ) as rows:
            for _ in rows:
                pass
        return time.perf_counter() - began


if __name__ == "__main__":
    part.run("rebuild", measure, knows_large=True)
