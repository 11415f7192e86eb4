"""Python runs this at the start of every part of a proof: the clock that SyncStore reads is as wrong as a file says.

The file named by PROOF_CLOCK holds seconds, and may change while the part runs.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infrastructure import clock
from relay import publisher

_FILE = Path(os.environ["PROOF_CLOCK"])


def _off() -> float:
    return float(_FILE.read_text() or 0) if _FILE.exists() else 0.0


class _Clock:
    """In place of the module `time`, where only the wall clock is asked for."""

    @staticmethod
    def time() -> float:
        return time.time() + _off()

    @staticmethod
    def time_ns() -> int:
        return time.time_ns() + int(_off() * 1e9)


def _now(_: clock.SystemClock) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=_off())


vars(clock)["time"] = vars(publisher)["time"] = _Clock
clock.SystemClock.now = _now  # type: ignore[method-assign,assignment]  # that is the fault
