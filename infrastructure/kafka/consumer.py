"""Members of a consumer group, one at a time: what a member needs to be, and when it is replaced by another."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from infrastructure.collector import collect_rarely
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer_metrics import METRICS, ConsumerMetrics
from infrastructure.kafka.delivery import ONE_LANE, Lanes
from infrastructure.kafka.effect import Effect
from infrastructure.kafka.member import Member
from infrastructure.kafka.watchdog import Watchdog
from infrastructure.postgres.pool import Pool

_log: Final = structlog.get_logger(__name__)


class Consumer:
    """One member for one effect; run as many, in as many processes, as there are partitions."""

    def __init__(
        self,
        effect: Effect,
        pool: Pool,
        kafka: KafkaSettings,
        *,
        batch_size: int = 5000,
        lanes: Lanes = ONE_LANE,
        measure_every: float = 2.0,
        stall_after: float = 60.0,
        session_seconds: float = 10.0,
        metrics: ConsumerMetrics = METRICS,
    ) -> None:
        self._effect = effect
        self._pool = pool
        self._kafka = kafka
        self._batch_size = batch_size
        self._lanes = lanes
        self._measure_every = measure_every
        self._watchdog = Watchdog(stall_after)
        self._session_seconds = session_seconds
        self._metrics = metrics

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; then finish the batch under way and leave the group."""
        collect_rarely()
        while not stop.is_set():
            member = Member(
                self._effect,
                self._pool,
                self._kafka,
                self._batch_size,
                self._lanes,
                self._session_seconds,
                self._metrics,
            )
            try:
                await member.join()
                await self._watch(member, stop)
            except KafkaError as error:
                _log.warning("kafka_not_reachable", consumer=self._effect.name, error=repr(error))
                await _sleep_or(stop, 1.0)
            finally:
                await member.leave()

    async def _watch(self, member: Member, stop: asyncio.Event) -> None:
        """Measure until asked to stop; returns early when the member stands still and should be replaced."""
        self._watchdog.forgive()
        while not await _sleep_or(stop, self._measure_every):
            ends = await member.measure()
            stalled = self._watchdog.observe(time.monotonic(), member.positions, ends)
            if stalled:
                _log.error(
                    "consumer_stands_still",
                    consumer=self._effect.name,
                    partitions=sorted(f"{p.topic}/{p.partition}" for p in stalled),
                )
                self._metrics.stalls.labels(self._effect.name).inc()
                return


async def _sleep_or(stop: asyncio.Event, seconds: float) -> bool:
    """Whether `stop` was set within the time."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
