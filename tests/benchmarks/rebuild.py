"""Events per second of a rebuild, and the memory of its processes.

python -m tests.benchmarks.rebuild [--products 60000] [--processes 2]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time

from projections.catalogue.projector import CATALOGUE
from projections.progress import Progress
from projections.rebuild import rebuild
from projections.verify import verify
from tests.benchmarks.ground import ground, load_products


async def measure(products: int, processes: int) -> dict[str, float | int | bool]:
    async with ground() as (source, pool, kafka):
        events = await asyncio.to_thread(load_products, source.url, products)
        stages: dict[str, float] = {}

        def note(progress: Progress) -> None:
            stages.setdefault(progress.stage, time.monotonic())

        rebuilt = await rebuild(CATALOGUE, source, pool, kafka, progress=note, processes=processes)
        fill_seconds = stages["indexing"] - stages["filling"]
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        return {
            "events": events,
            "rows": products,
            "fill_seconds": round(fill_seconds, 3),
            "index_seconds": round(stages["catching up"] - stages["indexing"], 3),
            "seconds": round(rebuilt.seconds, 3),
            "fill_events_per_second": round(events / fill_seconds),
            "events_per_second": round(events / rebuilt.seconds),
            "peak_megabytes_of_a_process": round(children / 1024),
            "sound": (await verify(CATALOGUE, source)).is_sound,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=60_000)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    json.dump(asyncio.run(measure(arguments.products, arguments.processes)), sys.stdout, indent=2)


if __name__ == "__main__":
    main()
