"""A relay process: passes without end, leases kept, a new producer when one is no good, a clean end on request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from infrastructure.collector import collect_rarely
from infrastructure.kafka.client import KafkaSettings
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.operations import statistics
from infrastructure.outbox.reader import Outbox
from infrastructure.postgres.pool import Pool
from relay.leases import ShardHolder
from relay.metrics import METRICS, RelayMetrics
from relay.producer import AWAY
from relay.publisher import Publisher
from relay.relay import BATCH, Relay

SHORTEST_NAP: Final = 0.002
LONGEST_NAP: Final = 0.025
"""Idle polls: an edit passes the relay twice on its way to a shop, so this stays well under a shop's own latency."""
AWAKE_SECONDS: Final = 0.25
"""So long after the last event naps stay the shortest: where some come, more do."""
SHORTEST_BACKOFF: Final = 0.1
LONGEST_BACKOFF: Final = 2.0
"""Shorter than leases last: shards stay where they are while Kafka is away."""
STATISTICS_SECONDS: Final = 2.0
ALARM_AGE_SECONDS: Final = 30.0
ALARM_DEPTH: Final = 100_000
ALARM_EVERY_SECONDS: Final = 30.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


async def run_relay(
    pool: Pool,
    kafka: KafkaSettings,
    stop: asyncio.Event,
    *,
    owner: str,
    metrics: RelayMetrics = METRICS,
    lease_seconds: float = 8.0,
    batch: int = BATCH,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Until `stop`: then what has been read is sent and deleted, and the shards are handed over.

    `pool` works as the worker role. Neither Kafka nor PostgreSQL being away ends it.
    """
    collect_rarely()
    leases = Leases(pool, owner, ttl=lease_seconds)
    holder = ShardHolder(leases, monotonic)
    loop = RelayLoop(holder, Outbox(pool, owner), kafka, metrics, batch=batch, monotonic=monotonic)
    watching = asyncio.create_task(_watch(pool, metrics, stop))
    try:
        await loop.run(stop)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


class RelayLoop:
    def __init__(
        self,
        holder: ShardHolder,
        outbox: Outbox,
        kafka: KafkaSettings,
        metrics: RelayMetrics,
        *,
        batch: int = BATCH,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holder = holder
        self._kafka = kafka
        self._metrics = metrics
        self._monotonic = monotonic
        self._publisher = Publisher(kafka)
        self._relay = Relay(outbox, self._publisher, metrics, batch=batch, ttl=holder.ttl, monotonic=monotonic)

    async def run(self, stop: asyncio.Event) -> None:
        nap, backoff, moved_at = SHORTEST_NAP, SHORTEST_BACKOFF, self._monotonic()
        while not stop.is_set():
            try:
                done = await self._step()
            except AWAY as error:
                log.warning("kafka_not_taking_events", reason=repr(error), again_in=backoff)
                await self._give_up_producer()
            except psycopg.Error as error:
                log.warning("database_not_answering", reason=str(error), again_in=backoff)
                self._relay.forget()
            else:
                backoff = SHORTEST_BACKOFF
                if done:
                    moved_at = self._monotonic()
                else:
                    awake = self._monotonic() - moved_at < AWAKE_SECONDS
                    nap = SHORTEST_NAP if awake else min(nap * 1.5, LONGEST_NAP)
                    await _rest(stop, nap)
                continue
            await _rest(stop, backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
        await self._finish()

    async def _step(self) -> int:
        seen = self._relay.horizon
        if await self._holder.maintain(self._relay.busy_shards, relays=seen.relays, free_shards=seen.free_shards):
            self._relay.forget()
            self._metrics.shards.set(len(self._holder.readable))
        if not self._publisher.producer.is_open:
            await self._publisher.producer.open()
        return await self._relay.one_pass(self._holder.readable, patience=self._holder.patience)

    async def _give_up_producer(self) -> None:
        """A producer that has failed may be out of step for good; a new one starts from what is in the outbox."""
        self._metrics.rebuilt.inc()
        self._relay.forget()
        await self._publisher.producer.abandon()

    async def _finish(self) -> None:
        with contextlib.suppress(*AWAY, psycopg.Error):  # it stays in the outbox for the next one
            while self._publisher.producer.is_open and await self._relay.one_pass(
                self._holder.readable, patience=self._holder.patience, last=True
            ):
                pass
            await self._relay.settled()
        await self._publisher.producer.abandon()
        with contextlib.suppress(psycopg.Error):  # leases end by themselves
            await self._holder.leave()


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _watch(pool: Pool, metrics: RelayMetrics, stop: asyncio.Event) -> None:
    """Tell how much waits, and raise the alarm while it is too much."""
    alarmed_at = 0.0
    while not stop.is_set():
        with contextlib.suppress(psycopg.Error):  # the loop tells of it
            found = await statistics(pool)
            metrics.depth.set(found.depth)
            metrics.age.set(found.oldest_age_seconds)
            metrics.waiting.set(found.parked)
            too_much = found.oldest_age_seconds > ALARM_AGE_SECONDS or found.depth > ALARM_DEPTH
            if too_much and time.monotonic() - alarmed_at > ALARM_EVERY_SECONDS:
                alarmed_at = time.monotonic()
                log.error("outbox_growing", depth=found.depth, oldest_age_seconds=round(found.oldest_age_seconds, 1))
        await _rest(stop, STATISTICS_SECONDS)
