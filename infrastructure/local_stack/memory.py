"""How much memory the servers that we start can count on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

LIMITS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of Linux's control groups, version 2 and 1, as a container sees its own."""


def memory_megabytes(limits: Sequence[Path] = LIMITS) -> int:
    """Of the machine, or what a container may have of it."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in limits:
        with suppress(OSError, ValueError):  # it is not there, or "max"
            found = min(found, int(limit.read_text()))
    return found // 2**20


def cache_megabytes(memory: int) -> int:
    """PostgreSQL's own, of so much memory: an eighth, for Kafka and our own processes share the machine.

    With the least, a store of a million products reads eight pages for an event.
    """
    return min(max(memory // 8, 256), 2048)
