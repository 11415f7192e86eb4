"""Time and fresh identities, the two things the domain never makes for itself."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

_FREE: Final = ~(0xF << 76 | 0x3 << 62)
_FIXED: Final = 0x7 << 76 | 0x2 << 62
"""Version and variant."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class TimeSortedIdentities:
    """UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then randomness."""

    def new(self) -> UUID:
        milliseconds = time.time_ns() // 1_000_000
        randomness = int.from_bytes(os.urandom(10), "big")
        return UUID(int=(milliseconds << 80 | randomness) & _FREE | _FIXED)
