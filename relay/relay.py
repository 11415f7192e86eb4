"""One relay: reads what is pending, sends it, deletes what Kafka has acknowledged. Moves bytes, decides nothing.

While one batch waits for its acknowledgements the next is read; it is sent only when they have come, so that a key is
never on its way twice. Rows are read by position from a low key on, behind which everything is deleted; a row that was
committed late below it is found by a sweep of the whole outbox from time to time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from infrastructure.outbox.reader import Outbox, Pending, Refused
from relay.metrics import RelayMetrics
from relay.publisher import Published, Publisher

BATCH: Final = 4_000
SWEEP_SECONDS: Final = 1.0
LOOKBACK_SECONDS: Final = 0.25
"""Rows committed this much later than higher ones are still found without a sweep."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Relay:
    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        metrics: RelayMetrics,
        *,
        batch: int = BATCH,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._metrics = metrics
        self._batch = batch
        self._monotonic = monotonic
        self._low = self._mark = self._high = 0
        self._marked_at = self._swept_at = 0.0
        self._parked: set[str] = set()
        self._under_way: list[Pending] = []
        self._next: list[Pending] = []

    def busy_shards(self) -> set[int]:
        """Shards of which rows have been read and not yet deleted."""
        return {row.shard for row in (*self._next, *self._under_way)}

    async def one_pass(self, shards: Mapping[int, int], *, last: bool = False) -> int:
        """Send what was read, read on meanwhile (not in the `last` pass), delete; how many were acknowledged.

        `shards` are those that may be read, with the terms of their leases. Raises SendingFailed and what the database
        raises; what was read is forgotten then and read again.
        """
        try:
            rows = self._next or ([] if last else await self._read(shards))
            self._next = []
            self._under_way = rows
            if self._parked:
                rows = await self._without_parked(rows, shards)
            if not rows:
                return 0
            started = self._monotonic()
            reading = asyncio.create_task(self._read({} if last else shards))
            try:
                published = await self._publisher.publish(rows)
                self._metrics.pass_seconds.observe(self._monotonic() - started)
                self._next = await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await self._settle(published, shards)
            return len(published.acknowledged)
        except BaseException:
            self._next = []
            raise
        finally:
            self._under_way = []

    def forget(self) -> None:
        """Read anew from the beginning: the producer or the shards are not what they were."""
        self._next = []
        self._low = self._mark = 0
        self._swept_at = 0.0

    async def _read(self, shards: Mapping[int, int]) -> list[Pending]:
        if not shards:
            return []
        now = self._monotonic()
        low = self._low
        if now - self._swept_at >= SWEEP_SECONDS:
            # A key that was let go again has rows far down: they are read before it counts as free.
            low, self._swept_at = 0, now
            self._parked = await self._outbox.parked_keys()
        rows = await self._outbox.pending(
            low=low, shards=shards, under_way=[row.position for row in self._under_way], limit=self._batch
        )
        if rows:
            self._high = max(self._high, rows[-1].position)
        if now - self._marked_at >= LOOKBACK_SECONDS:
            self._low, self._mark, self._marked_at = self._mark, self._high, now
        return rows

    async def _settle(self, published: Published, shards: Mapping[int, int]) -> None:
        if published.acknowledged:
            deleted = await self._outbox.delete(published.acknowledged, shards)
            self._metrics.published.inc(len(published.acknowledged))
            if deleted < len(published.acknowledged):
                self._metrics.not_deleted.inc(len(published.acknowledged) - deleted)
                log.warning("relay_lost_shards", acknowledged=len(published.acknowledged), deleted=deleted)
        if published.refused:
            await self._park(published.refused, shards)
        if published.left:
            # Their partition was full; what was read meanwhile may hold later rows of their keys.
            self._low = min(self._low, published.left[0].position)
            self._next = sorted([*published.left, *self._next], key=lambda row: row.position)

    async def _without_parked(self, rows: Sequence[Pending], shards: Mapping[int, int]) -> list[Pending]:
        """What comes behind a parked event waits with it."""
        followers = [Refused(row, None) for row in rows if row.partition_key in self._parked]
        if followers:
            self._metrics.parked.inc(await self._outbox.park(followers, shards))
        return [row for row in rows if row.partition_key not in self._parked]

    async def _park(self, refused: Sequence[Refused], shards: Mapping[int, int]) -> None:
        heads = [one for one in refused if one.reason is not None]
        for row, reason in heads:
            log.error(
                "record_refused", key=row.partition_key, position=row.position, event_id=row.event_id, reason=reason
            )
        keys = {row.partition_key for row, _ in refused}
        followers = [Refused(row, None) for row in self._next if row.partition_key in keys]
        self._next = [row for row in self._next if row.partition_key not in keys]
        parked = await self._outbox.park([*refused, *followers], shards)
        self._metrics.parked.inc(parked)
        self._parked |= keys
