"""One shop's lane: pushes under way up to a limit, the most urgent first, paused when the shop or a person says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge, Histogram

from domain.connection.commands import PauseConnection
from domain.connection.state import Connection
from domain.messages import CommandContext
from domain.ports import Clock
from infrastructure.platforms.connector import Connector
from infrastructure.postgres.pool import Pool
from infrastructure.shops import lanes, push_queue
from infrastructure.shops.lanes import Lane
from services.consumers.pusher import ACTOR, Pusher, Turn
from services.usecases.connections import Connections

LOOK_SECONDS = 0.25
"""How long a lane without work waits before it looks again, if nobody wakes it."""
SETTINGS_SECONDS = 1.0
"""How old a lane's knowledge of its connection (rule, policy, pause) may be."""
TROUBLE_SECONDS = 5.0
"""After a turn that failed for a reason of ours."""

TURNS = Counter("syncstore_push_turns_total", "Listings that had their turn", ["connection"])
TROUBLES = Counter("syncstore_push_troubles_total", "Turns that failed for a reason of ours", ["connection"])
UNDER_WAY = Gauge("syncstore_push_under_way", "Pushes under way", ["connection"])
TURN_SECONDS = Histogram("syncstore_push_turn_seconds", "How long a turn took", ["connection"])

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True)
class LaneRunner:
    """Runs until cancelled; a push under way is finished first when `close` is awaited."""

    lane: Lane
    connector: Connector
    pool: Pool
    pusher: Pusher
    connections: Connections
    clock: Clock
    concurrency: int
    woken: Callable[[], asyncio.Event]
    """An event that will be set when listings have been queued; a new one after each time."""
    _under_way: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _closing: bool = False
    _paused_until: datetime | None = None
    _connection: Connection | None = None
    _connection_read_at: datetime | None = None

    async def run(self) -> None:
        self._paused_until = self.lane.paused_until
        while not self._closing:
            woken = self.woken()  # before looking, so that a waking in between is not missed
            try:
                wait = await self._fill()
            except Exception:
                log.exception("push_lane_stumbled", connection_id=self.lane.connection_id)
                wait = TROUBLE_SECONDS
            await self._rest(woken, wait)

    async def close(self) -> None:
        """Take nothing new, finish what is under way."""
        self._closing = True
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    async def connection(self) -> Connection:
        """The connection as it was at most a second ago."""
        now = self.clock.now()
        known, read_at = self._connection, self._connection_read_at
        if known is None or read_at is None or (now - read_at).total_seconds() > SETTINGS_SECONDS:
            _, known = await self.connections.get(self.lane.org_id, self.lane.connection_id)
            self._connection, self._connection_read_at = known, now
        return known

    async def _fill(self) -> float:
        """Start what there is room for; how long to wait before looking again."""
        now = self.clock.now()
        shop = await self.connection()
        if shop.paused is not None:
            self._paused_until = None  # resuming a connection ends what its shop had asked for
            return SETTINGS_SECONDS
        if self._paused_until is not None and self._paused_until > now:
            return min((self._paused_until - now).total_seconds(), 1.0)
        room = self.concurrency - len(self._under_way)
        if room <= 0:
            return LOOK_SECONDS
        async with self.pool.connection() as connection:
            items = await push_queue.due(
                connection,
                org_id=self.lane.org_id,
                connection_id=self.lane.connection_id,
                now=now,
                under_way=list(self._under_way),
                limit=room,
            )
        for item in () if self._closing else items:
            task = asyncio.create_task(self._turn(shop, item))
            self._under_way[item.listing_id] = task
        UNDER_WAY.labels(self.lane.connection_id).set(len(self._under_way))
        return LOOK_SECONDS

    async def _rest(self, woken: asyncio.Event, seconds: float) -> None:
        """Until work comes, a push ends, or the time is over."""
        waiter = asyncio.create_task(woken.wait())
        try:
            await asyncio.wait(
                [waiter, *self._under_way.values()], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiter

    async def _turn(self, shop: Connection, item: push_queue.Due) -> None:
        name = self.lane.connection_id
        try:
            with TURN_SECONDS.labels(name).time():
                turn = await self.pusher.take_turn(self.connector, shop, self.lane.org_id, item)
            await self._settle(item, turn)
            TURNS.labels(name).inc()
        except Exception:
            TROUBLES.labels(name).inc()
            log.exception("push_turn_failed", listing_id=item.listing_id, connection_id=name)
            until = self.clock.now() + timedelta(seconds=TROUBLE_SECONDS)
            with contextlib.suppress(Exception):  # the row stays due, which is the same but sooner
                async with self.pool.connection() as connection:
                    await push_queue.postpone(
                        connection, item, until=until, attempts=item.attempts, look_first=item.look_first
                    )
        finally:
            del self._under_way[item.listing_id]

    async def _settle(self, item: push_queue.Due, turn: Turn) -> None:
        async with self.pool.connection() as connection:
            if turn.again_at is None:
                await push_queue.done(connection, item)
            else:
                deferred = turn.pause_lane_until is not None
                await push_queue.postpone(
                    connection,
                    item,
                    until=turn.again_at,
                    attempts=turn.attempts,
                    deferred=deferred,
                    look_first=turn.look_first,
                )
            if turn.pause_lane_until is not None:
                self._paused_until = turn.pause_lane_until
                await lanes.pause(
                    connection,
                    org_id=self.lane.org_id,
                    connection_id=self.lane.connection_id,
                    until=turn.pause_lane_until,
                    reason="the shop asked us to wait",
                )
                log.warning(
                    "push_lane_paused",
                    connection_id=self.lane.connection_id,
                    until=turn.pause_lane_until.isoformat(),
                )
        if turn.needs_person is not None:
            await self._stop_for_person(turn.needs_person, item.correlation_id)

    async def _stop_for_person(self, reason: str, correlation_id: UUID) -> None:
        context = CommandContext(
            org_id=self.lane.org_id,
            actor=ACTOR,
            now=self.clock.now(),
            correlation_id=correlation_id,
            causation_id=None,
        )
        await self.connections.handle(
            context, self.lane.connection_id, PauseConnection(reason=reason, needs_person=True)
        )
        self._connection = None
        log.error("connection_needs_person", connection_id=self.lane.connection_id, reason=reason)
