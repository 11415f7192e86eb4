"""Where a benchmark is and how long it will still take, on the terminal or, line by line, in a log."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Counts steps of about equal length. With `steps` unknown at first, say them when they are known."""

    def __init__(self, name: str, steps: int = 0, *, to: TextIO = sys.stderr) -> None:
        self.name, self.steps, self._to = name, steps, to
        self._done = 0
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """What is done next."""
        gone = time.monotonic() - self._began
        left = f", about {clock(gone / self._done * (self.steps - self._done))} left" if self._done else ""
        self._done += 1
        line = f"  {self.name} {self._done}/{self.steps}  {what}  ({clock(gone)} gone{left})"
        if self._to.isatty():
            self._to.write(f"\r\033[K{line}")
        else:
            self._to.write(f"{line}\n")
        self._to.flush()

    def end(self) -> None:
        if self._to.isatty():
            self._to.write("\r\033[K")
            self._to.flush()


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes}:{rest:02d}"
