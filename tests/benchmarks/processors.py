"""Processor time of a benchmark's servers, from Linux's /proc: what an event costs, however busy the processors are."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

SERVERS: Final = {"postgres": "PostgreSQL", "java": "Kafka"}
"""By the names of their processes."""
AT_MOST: Final = "events/s at most that all processors together could do"


def spent(me: str) -> dict[str, float]:
    """Seconds so far, of all servers, ended ones too, and of this process, called `me`, with its ended children.

    A benchmark has the machine for itself.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {me: time.process_time() + ended.ru_utime + ended.ru_stime, **dict.fromkeys(SERVERS.values(), 0.0)}
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
    """Seconds that the servers and this process have spent in the block; filled in when it ends."""
    found: dict[str, float] = {}
    before = spent(me)
    yield found
    found.update(since(before, me))


def since(before: Mapping[str, float], me: str) -> dict[str, float]:
    """Seconds that each has spent."""
    return {who: now - before[who] for who, now in spent(me).items()}


def facts(costs: Sequence[Mapping[str, float]], events: int, title: str) -> dict[str, float]:
    """What an event took, of rounds of so many, and how many a second all processors could do at that, always full."""
    found: dict[str, float] = {
        f"microseconds of processor time for an event, {who}, {title}": round(
            median(cost[who] for cost in costs) / events * 1e6, 1
        )
        for who in costs[0]
    }
    all_full = events * (os.cpu_count() or 1) / median(sum(cost.values()) for cost in costs)
    return found | {f"{AT_MOST}, {title}": round(all_full)}


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
