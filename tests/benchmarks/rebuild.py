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

ABOUT: Final = """
The catalogue, ten events to a product, rebuilt from the event store by two processes while readers may go on: fill,
indexes, catching up, comparison, switch. The control is one session of PostgreSQL that reads the same columns of all
events and sends them nowhere: what rebuilding costs beside looking at every event once.
"""
READING: Final = "reading every event once"
PROCESSES: Final = 2


class Plan(NamedTuple):
    products: int
    rounds: int


PLANS: Final = {Size.SMALL: Plan(3_000, 1), Size.FULL: Plan(100_000, 3)}


async def measure(size: Size, progress: Progress) -> Part:
    """Rebuilding a view."""
    plan = PLANS[size]
    found = Part(name="rebuild", title="Rebuild of a view", about=ABOUT)
    whole = Comparison(title="the whole rebuild", unit="events/s", control=READING)
    fill = Comparison(title="its filling", unit="events/s", control=READING)
    async with ground() as (source, pool, kafka):
        progress.step("loading")
        events = await asyncio.to_thread(load_products, source.url, plan.products)
        for number in range(plan.rounds):
            progress.step(f"round {number + 1} of {plan.rounds}")
            read = events / await asyncio.to_thread(_read_all, source.url)
            stages: dict[str, float] = {}

            def note(stage: Stage, stages: dict[str, float] = stages) -> None:
                stages.setdefault(stage.stage, time.monotonic())

            rebuilt = await rebuild(CATALOGUE, source, pool, kafka, progress=note, processes=PROCESSES)
            whole.add_round({READING: read, OURS: events / rebuilt.seconds})
            fill.add_round({READING: read, OURS: events / (stages["indexing"] - stages["filling"])})
        sound = (await verify(CATALOGUE, source)).is_sound
    found.comparisons += [whole, fill]
    found.facts = {
        "events": events,
        "rows": plan.products,
        "seconds from catching up to done, last round": round(stages["done"] - stages["catching up"], 2),
        "peak of a process, MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "every row is what the events say": sound,
    }
    return found


def _read_all(url: str) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.monotonic()
        connection.execute("select count(data::text), max(version), max(occurred_at) from events").fetchone()
        return time.monotonic() - began


if __name__ == "__main__":
    part.run("rebuild", measure)
