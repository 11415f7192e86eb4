"""Events per second of a rebuild, and the memory of its processes."""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Final, NamedTuple

import psycopg

from projections.catalogue.projector import CATALOGUE
from projections.progress import Progress as Stage
from projections.rebuild import rebuild
from projections.verify import verify
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.ground import ground, load_products
from tests.benchmarks.part import Size
from tests.benchmarks.progress import Progress

PROCESSES: Final = 2
ABOUT: Final = f"""
The catalogue view is built anew from the event store, ten events a product, by {PROCESSES} processes: filled, indexed,
caught up, compared with the live one and put in its place. The control reads the same events once, stream by stream in
order, over one connection, and throws them away. PostgreSQL does not wait for the disk here.
"""
READING: Final = "reading the events alone"
FILLING: Final = "SyncStore, filling alone"
READ: Final = """
copy (select org_id, stream_id, version, type, data from events order by org_id, stream_id, version) to stdout
"""


class Plan(NamedTuple):
    products: int
    rounds: int


PLANS: Final = {Size.SMALL: Plan(500, 2), Size.FULL: Plan(60_000, 3)}


async def measure(size: Size, progress: Progress) -> Part:
    """The catalogue view, built anew."""
    plan = PLANS[size]
    found = Part(name="rebuild", title="Rebuild of a view", about=ABOUT)
    comparison = Comparison(title=f"{plan.products * 10:,} events", unit="events/s", control=READING)
    found.comparisons = [comparison]
    progress.steps = plan.rounds + 1
    async with ground() as (source, pool, kafka):
        progress.step("events into the store")
        events = await asyncio.to_thread(load_products, source.url, plan.products)
        for number in range(plan.rounds):
            progress.step(f"round {number + 1} of {plan.rounds}")
            comparison.add(READING, events / await asyncio.to_thread(read, source.url))
            stages: dict[str, float] = {}

            def note(stage: Stage, stages: dict[str, float] = stages) -> None:
                stages.setdefault(stage.stage, time.monotonic())

            rebuilt = await rebuild(CATALOGUE, source, pool, kafka, progress=note, processes=PROCESSES)
            comparison.add(OURS, events / rebuilt.seconds)
            comparison.add(FILLING, events / (stages["indexing"] - stages["filling"]))
        sound = (await verify(CATALOGUE, source)).is_sound
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    found.facts = {"peak megabytes of a process": round(peak / 1024), "sound": sound}
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
    part.run("rebuild", measure)
