"""Time and fresh identities, the two things the domain never makes for itself."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from uuid import UUID


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class TimeSortedIdentities:
    """UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then randomness."""

    def new(self) -> UUID:
        milliseconds = time.time_ns() // 1_000_000
        randomness = int.from_bytes(os.urandom(10), "big")
        value = milliseconds << 80 | randomness
        value = value & ~(0xF << 76) | 0x7 << 76
        value = value & ~(0x3 << 62) | 0x2 << 62
        return UUID(int=value)
