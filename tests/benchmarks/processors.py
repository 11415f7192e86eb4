"""Processor time of a benchmark's servers, from Linux's /proc: what an event costs, however busy the processors are."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

SERVERS: Final = {"postgres": "PostgreSQL", "java": "Kafka"}
"""By the names of their processes."""


def spent() -> dict[str, float]:
    """Seconds so far, of all processes of these names, ended ones too. A benchmark has the machine for itself."""
    found = dict.fromkeys(SERVERS.values(), 0.0)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if name in SERVERS:
            found[SERVERS[name]] += sum(map(int, rest.split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


class Turn(NamedTuple):
    per_second: float
    processor_seconds: float
    """Of servers and contender together."""


@contextmanager
def measured(me: str) -> Iterator[dict[str, float]]:
    """Seconds that the servers and this process, called `me`, have spent in the block; filled in when it ends."""
    found: dict[str, float] = {}
    before, mine = spent(), time.process_time()
    yield found
    found[me] = time.process_time() - mine
    found.update({who: now - before[who] for who, now in spent().items()})


class Use(NamedTuple):
    """Of all processors since the machine began, in ticks."""

    busy: int
    total: int

    def percent_since(self, before: Use) -> float:
        """What others took of the machine counts as in use: it was not there for us."""
        return 100 * (self.busy - before.busy) / max(self.total - before.total, 1)


def in_use() -> Use:
    user, nice, system, idle, waiting, *others = map(int, Path("/proc/stat").read_text().split()[1:9])
    busy = user + nice + system + sum(others)
    return Use(busy, busy + idle + waiting)
