"""One relay: reads what is pending, sends it, deletes what Kafka has acknowledged. Moves bytes, decides nothing.

While one batch waits for its acknowledgements the one before is deleted and, when more waits than one batch holds, the
next is read and prepared; this is sent only when they have come, so that no later event of a key is on its way while it
is open whether the earlier one was taken. What was read early would leave late: when little waits, reading comes last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from infrastructure.outbox.low_mark import LowMark
from infrastructure.outbox.port import OutboxPort
from infrastructure.outbox.reader import Horizon, Pending, Refused
from relay.metrics import RelayMetrics
from relay.producer import AWAY
from relay.publisher import Batches, Published

BATCH: Final = 4_000
SWEEP_SECONDS: Final = 10.0
"""How often everything is read from the first row on, whatever the low mark says."""
LOOK_SECONDS: Final = 0.02

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Sender(Protocol):
    """What a relay needs of Kafka. `Publisher` is one."""

    async def prepare(self, rows: Sequence[Pending]) -> Batches:
        """Raises what keeps Kafka from taking events."""
        ...

    async def publish(self, batches: Batches, *, patience: float) -> Published:
        """Afterwards nothing of these rows is on its way any more."""
        ...

    async def abandon(self) -> None:
        """Nothing that was not acknowledged is sent after this."""
        ...


class Relay:
    def __init__(
        self,
        outbox: OutboxPort,
        publisher: Sender,
        metrics: RelayMetrics,
        *,
        batch: int = BATCH,
        ttl: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._metrics = metrics
        self._batch = batch
        self._ttl = ttl
        self._monotonic = monotonic
        self._mark = LowMark()
        self._rewinds = -1
        self._swept_at = self._looked_at = 0.0
        self._under_way: Sequence[Pending] = ()
        self._next = Batches()
        self._deleting: asyncio.Task[None] | None = None
        self._deleted: list[Pending] = []
        self._behind = False
        self.horizon = Horizon(0, {}, 0, 0, 0)
        """As it was seen last."""

    def busy_shards(self) -> set[int]:
        """Shards of which rows have been read and not yet deleted."""
        return {row.shard for row in (*self._next.rows, *self._under_way, *self._deleted)}

    async def one_pass(self, shards: Mapping[int, int], *, patience: float, last: bool = False) -> int:
        """Send what was read, read on meanwhile if more waits, delete; how many were acknowledged.

        The `last` pass sends what was read and reads nothing. `shards` are those that may be read, with the terms of
        their leases; `patience` is how many seconds they can be relied upon. Raises what keeps Kafka from taking
        events, and what the database raises; what was read is forgotten then and read again.
        """
        until = self._monotonic() + patience
        try:
            batches, self._next = self._next, Batches()
            if not batches.rows and not last:
                batches = await self._publisher.prepare(await self._read(shards))
                if not batches.rows:
                    await self._look()
            self._under_way = batches.rows
            if not batches.rows:
                await self.settled()
                return 0
            started = self._monotonic()
            if started >= until:  # reading took so long that the shards may be another's by now
                self.forget()
                return 0
            publishing = asyncio.create_task(self._publisher.publish(batches, patience=until - started))
            await asyncio.sleep(0)  # first it is sent; all else can wait
            try:
                if not last:
                    await self._look()
                    if self._behind:
                        await self._read_ahead(shards)
                published = await publishing
            except BaseException:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
                await self._publisher.abandon()
                raise
            self._metrics.pass_seconds.observe(self._monotonic() - started)
            await self._settle(published, shards)
            if published.failure is not None or published.refused:
                await self.settled()
            published.raise_failure()
            return len(published.acknowledged)
        except BaseException:
            self.forget()
            # However the delete under way ends, what it leaves is read again in its place, before later rows of a key.
            await asyncio.gather(self.settled(), return_exceptions=True)
            raise
        finally:
            self._under_way = ()

    def forget(self) -> None:
        """Read anew from the beginning: the producer or the shards are not what they were."""
        self._next = Batches()
        self._mark.rewind()

    async def _read_ahead(self, shards: Mapping[int, int]) -> None:
        rows = await self._read(shards)
        try:
            self._next = await self._publisher.prepare(rows)
        except AWAY:
            self.forget()  # what is under way fails too and says why, or the next attempt does

    async def _read(self, shards: Mapping[int, int]) -> list[Pending]:
        """What comes next, without what has to wait."""
        if not shards:
            return []
        now = self._monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._mark.rewind()
        rows = await self._pending(shards)
        if rows and self._notice(rows[0].rewinds):
            # In the same moment later rows of the same keys may have come into sight.
            rows = await self._pending(shards)
        self._behind = len(rows) == self._batch
        self._mark.read(rows[-1].position if self._behind else None)
        if any(row.is_parked for row in rows):
            rows = await self._without_parked(rows, shards)
        return rows

    async def _look(self) -> None:
        """Between two reads, each of which it lets begin later."""
        now = self._monotonic()
        if self._behind or now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self.horizon = await self._outbox.horizon(self._ttl)
            self._mark.look(self.horizon.given_out, self.horizon.appenders)
            self._notice(self.horizon.rewinds)

    def _notice(self, rewinds: int) -> bool:
        """Whether parked rows have come back to the outbox."""
        if rewinds == self._rewinds:
            return False
        self._rewinds = rewinds
        self._mark.rewind()
        return True

    async def _pending(self, shards: Mapping[int, int]) -> list[Pending]:
        low, passed = self._mark.position, self._mark.passed
        lowest = min((low, *passed.values()))
        under_way = [row.position for row in (*self._deleted, *self._under_way) if row.position > lowest]
        return await self._outbox.pending(low=low, passed=passed, shards=shards, under_way=under_way, limit=self._batch)

    async def _settle(self, published: Published, shards: Mapping[int, int]) -> None:
        await self.settled()
        if published.acknowledged:
            self._metrics.published.inc(len(published.acknowledged))
            self._deleted = published.acknowledged
            self._deleting = asyncio.create_task(self._delete(published.acknowledged, dict(shards)))
        if published.refused:
            await self._park(published.refused, shards)

    async def settled(self) -> None:
        """Wait until what was acknowledged is deleted. Raises what the database raised."""
        deleting, self._deleting = self._deleting, None
        try:
            if deleting is not None:
                await deleting
        finally:
            self._deleted = []

    async def _delete(self, rows: Sequence[Pending], shards: Mapping[int, int]) -> None:
        deleted = await self._outbox.delete(rows, shards)
        if deleted < len(rows):
            self._metrics.not_deleted.inc(len(rows) - deleted)
            log.warning("relay_lost_shards", acknowledged=len(rows), deleted=deleted)

    async def _without_parked(self, rows: Sequence[Pending], shards: Mapping[int, int]) -> list[Pending]:
        """What comes behind a parked event waits with it."""
        followers = [Refused(row, None) for row in rows if row.is_parked]
        self._metrics.parked.inc(await self._outbox.park(followers, shards))
        return [row for row in rows if not row.is_parked]

    async def _park(self, refused: Sequence[Refused], shards: Mapping[int, int]) -> None:
        for row, reason in refused:
            if reason is not None:
                log.error(
                    "record_refused",
                    key=row.partition_key.decode(),
                    position=row.position,
                    event_id=row.event_id.decode(),
                    reason=reason,
                )
        keys = {row.partition_key for row, _ in refused}
        ahead = self._next.rows
        followers = [Refused(row, None) for row in ahead if row.partition_key in keys]
        if followers:
            self._next = await self._publisher.prepare([row for row in ahead if row.partition_key not in keys])
        self._metrics.parked.inc(await self._outbox.park([*refused, *followers], shards))
