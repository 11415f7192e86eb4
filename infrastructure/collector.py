"""How often Python looks for cycles of objects that nobody can reach any more."""

from __future__ import annotations

import gc
from typing import Final

OBJECTS_BETWEEN_COLLECTIONS: Final = 200_000


def collect_rarely() -> None:
    """For a process that works in batches: each is very many objects without cycles.

    At Python's 700 the collector looks through them a hundred times while they are alive, which was over a third of a
    consumer's processor time. Costs some 30 MB where there are cycles.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
