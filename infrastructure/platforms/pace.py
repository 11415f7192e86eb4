"""How fast one connection may call: a token bucket that slows down when the platform complains."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed, PlatformError

_RECOVERY: Final = 0.02
"""Share of the full rate that one good call gives back."""


class Pace:
    """Up to `rate` calls a second with bursts of `burst`, in the order of asking.

    A complaint halves the rate, down to a twentieth, and stops calls for as long as the platform asks; good calls
    restore it slowly. A caller who would wait longer than `patience` seconds is refused at once instead, so that queues
    form where they can be seen.
    """

    def __init__(
        self,
        rate: float,
        burst: int = 10,
        patience: float = 5.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a pace needs a rate above 0 and a burst of at least 1, not {rate} and {burst}")
        self._full_rate = rate
        self._burst = burst
        self._patience = patience
        self._now = now
        self._sleep = sleep
        self.rate = rate
        self._level = float(burst)
        self._measured_at = now()
        self._paused_until = self._measured_at

    async def acquire(self) -> None:
        """Wait for this call's turn. Raises `PlatformCallFailed` (RATE) when that is longer than the patience."""
        now = self._now()
        self._refill(now)
        missing = max(0.0, 1.0 - self._level) / self.rate
        wait = missing + max(0.0, self._paused_until - now)
        if wait > self._patience:
            raise PlatformCallFailed(
                PlatformError(
                    error_class=ErrorClass.RATE,
                    code="own_pace",
                    message=f"the connection's quota is used up for another {wait:.1f} s",
                    retry_after=wait,
                    hint="rate_limited",
                )
            )
        self._level -= 1.0  # below zero is the queue of those waiting
        if wait > 0:
            await self._sleep(wait)

    def complained(self, retry_after: float | None) -> None:
        now = self._now()
        self._refill(now)
        self.rate = max(self._full_rate / 20, self.rate / 2)
        self._level = min(self._level, 0.0)
        self._paused_until = max(self._paused_until, now + (retry_after or 0.0))

    def succeeded(self) -> None:
        if self.rate < self._full_rate:
            self._refill(self._now())
            self.rate = min(self._full_rate, self.rate + self._full_rate * _RECOVERY)

    def _refill(self, now: float) -> None:
        self._level = min(float(self._burst), self._level + (now - self._measured_at) * self.rate)
        self._measured_at = now
