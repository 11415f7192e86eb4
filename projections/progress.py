"""How far a rebuild is."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct


class Progress(Struct, frozen=True, kw_only=True):
    view: str
    stage: str
    """"filling", "indexing", "catching up", "comparing", "switching", "done"."""
    done: int = 0
    total: int = 0
    """Events; an estimate while catching up, for events go on arriving."""
    rate: float = 0.0
    """Events per second, of this stage and this run."""
    eta_seconds: float | None = None


class Reporter:
    """Tells whoever asked how far the rebuild of a view is."""

    def __init__(self, view: str, progress: Callable[[Progress], None]) -> None:
        self._view = view
        self._progress = progress

    def tell(self, stage: str, done: int = 0, total: int = 0, *, began: float = 0.0, done_now: int = 0) -> None:
        """`began` is the monotonic time at which this run came to the stage, `done_now` what it has done since."""
        rate = done_now / max(time.monotonic() - began, 1e-9)
        left = max(total - done, 0)
        self._progress(
            Progress(
                view=self._view,
                stage=stage,
                done=done,
                total=max(total, done),
                rate=rate,
                eta_seconds=left / rate if rate else None,
            )
        )
