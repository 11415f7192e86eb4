"""What a relay needs of an outbox: kept by PostgreSQL, and by a twin in memory under the same contract."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from infrastructure.outbox.reader import Horizon, Pending, Refused


class OutboxPort(Protocol):
    """An outbox as one owner of shards sees it. Terms are shard -> term; under a lost one nothing is changed."""

    async def horizon(self, ttl: float) -> Horizon:
        """Relays count that were seen within `ttl` seconds."""
        ...

    async def pending(
        self,
        *,
        low: int,
        passed: Mapping[str, int],
        shards: Collection[int],
        under_way: Collection[int],
        limit: int,
    ) -> list[Pending]:
        """Visible rows of these shards above position `low`, but for those under way; all under one snapshot.

        `passed` are transactions with their floors: of one that this read can see, rows above the floor come as well.
        """
        ...

    async def delete(self, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        """How many were deleted: exactly these, less those whose shard was lost meanwhile."""
        ...

    async def park(self, refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
        """How many were parked. A follower whose key was released meanwhile stays where it is."""
        ...
