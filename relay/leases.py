"""Which shards this relay may work on now: its fair share, renewed in time, given up when somebody else needs it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from infrastructure.outbox.leases import Leases

RENEW_SHARE = 0.2
"""Renewed after this part of the lease's life."""
MARGIN_SHARE = 0.3
"""Trusted until this part of the life is left, counted from before the database was asked."""
CLAIM_SECONDS = 0.05
"""Between two tries to get the rest of one's share, and between two looks at what a share is."""


class ShardHolder:
    """`held` maps shards to terms; `trusted` says whether they may still be acted upon."""

    def __init__(self, leases: Leases, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._monotonic = monotonic
        self._trusted_until = 0.0
        self._renew_at = 0.0
        self._claim_at = 0.0
        self._share = 0
        self._relays = 0
        self._shedding: set[int] = set()
        self.held: dict[int, int] = {}

    @property
    def ttl(self) -> float:
        return self._leases.ttl

    @property
    def trusted(self) -> bool:
        return self._monotonic() < self._trusted_until

    @property
    def readable(self) -> dict[int, int]:
        """Shards to read from; none when the leases may have run out."""
        if not self.trusted:
            return {}
        return {shard: term for shard, term in self.held.items() if shard not in self._shedding}

    @property
    def patience(self) -> float:
        """For how many seconds what is held can still be relied upon."""
        return max(self._trusted_until - self._monotonic(), 0.0)

    async def maintain(
        self, busy_shards: Callable[[], Collection[int]], *, relays: int = 0, free_shards: int = 0
    ) -> bool:
        """Renew, hand over and claim as time goes by; True when the shards to read have changed, or may have meanwhile.

        `relays` and `free_shards`, as seen lately, tell early that somebody came or went.
        """
        now, lapsed, before = self._monotonic(), not self.trusted, self.readable
        told = relays not in (0, self._relays) or free_shards > 0
        if now >= self._renew_at or (told and now >= self._claim_at):
            await self._renew(now)
            self._relays = relays
        if self._shedding and not self._shedding.intersection(busy_shards()):
            shed, self._shedding = self._shedding, set()
            self.held = {shard: term for shard, term in self.held.items() if shard not in shed}
            await self._leases.release(shed)
        if len(self.held) - len(self._shedding) < self._share and now >= self._claim_at:
            self._claim_at = now + CLAIM_SECONDS
            claimed = await self._leases.claim(self._share - len(self.held))
            self.held |= claimed
            if claimed:
                self._trusted_until = min(self._trusted_until, now + self._leases.ttl * (1 - MARGIN_SHARE))
        return lapsed or self.readable != before

    async def _renew(self, now: float) -> None:
        self.held, self._share = await self._leases.renew(self.held)
        self._trusted_until = now + self._leases.ttl * (1 - MARGIN_SHARE)
        self._renew_at = now + self._leases.ttl * RENEW_SHARE
        surplus = len(self.held) - self._share
        self._shedding = set(sorted(self.held)[self._share :]) if surplus > 0 else set()

    async def leave(self) -> None:
        """Hand everything over at once."""
        await self._leases.release(self.held)
        await self._leases.leave()
        self.held = {}
