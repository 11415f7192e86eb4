"""Which shops this process talks to: lanes are claimed, renewed, and handed over when the process stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import structlog

from infrastructure.platforms.connector import Connector
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.shops import lanes
from infrastructure.shops.lanes import LEASE_SECONDS, Lane
from services.consumers.lane import LaneRunner
from services.consumers.watch import Watch

RENEW_SECONDS = LEASE_SECONDS / 5
MOST_LANES = 50

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True)
class Held:
    lane: Lane
    connector: Connector
    authorisation: int
    """Under which the connector was made."""
    runner: LaneRunner
    tasks: list[asyncio.Task[None]]


class LaneKeeper:
    def __init__(
        self,
        pool: Pool,
        owner: str,
        connect: Callable[[Lane], Awaitable[tuple[Connector, int]]],
        authorisation: Callable[[Lane], Awaitable[int]],
        runner: Callable[[Lane, Connector], LaneRunner],
        watch: Callable[[Lane, Connector, LaneRunner], Watch],
    ) -> None:
        self._pool = pool
        self._owner = owner
        self._connect = connect
        self._authorisation = authorisation
        self._runner = runner
        self._watch = watch
        self._held: dict[tuple[str, str], Held] = {}
        self._leaving: dict[tuple[str, str], asyncio.Task[None]] = {}
        """A push under way is waited for beside the renewals, which must not be late for the other lanes."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then finish the pushes under way and hand the lanes over."""
        try:
            while not stop.is_set():
                await self._renew()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RENEW_SECONDS)
        finally:
            for held in list(self._held.values()):
                self._leave(held)
            await asyncio.gather(*self._leaving.values())
            with contextlib.suppress(Exception):  # leases end by themselves
                async with self._pool.connection() as connection:
                    await lanes.release(connection, owner=self._owner)

    async def _renew(self) -> None:
        try:
            with translated():
                async with self._pool.connection() as connection:
                    mine = await lanes.claim(connection, owner=self._owner, limit=MOST_LANES)
        except Exception as error:  # noqa: BLE001  # without a renewal others take over; trying again is all there is to do
            log.warning("lanes_not_renewed", reason=str(error))
            return
        current = {lane.key: lane for lane in mine}
        for key, held in list(self._held.items()):
            if key not in current or current[key].term != held.lane.term:
                log.warning("lane_lost", connection_id=held.lane.connection_id)
                self._leave(held)
        for held in list(self._held.values()):
            if await self._is_authorised_anew(held):
                log.info("shop_authorised_anew", connection_id=held.lane.connection_id)
                self._leave(held)
        for key, lane in current.items():
            if key not in self._held and key not in self._leaving:
                await self._take(lane)

    async def _is_authorised_anew(self, held: Held) -> bool:
        with contextlib.suppress(Exception):  # the database is away, or the secrets are: nothing to change over to
            return await self._authorisation(held.lane) != held.authorisation
        return False

    async def _take(self, lane: Lane) -> None:
        try:
            connector, authorisation = await self._connect(lane)
        except Exception as error:  # noqa: BLE001  # one shop without usable keys must not stop the others
            log.error("shop_not_reachable", connection_id=lane.connection_id, reason=str(error))  # noqa: TRY400  # the reason says it
            return
        runner = self._runner(lane, connector)
        watch = self._watch(lane, connector, runner)
        tasks = [asyncio.create_task(runner.run()), asyncio.create_task(watch.run())]
        self._held[lane.key] = Held(lane, connector, authorisation, runner, tasks)
        log.info("lane_taken", connection_id=lane.connection_id, term=lane.term)

    def _leave(self, held: Held) -> None:
        key = held.lane.key
        self._leaving[key] = asyncio.create_task(_finish(self._held.pop(key)))
        self._leaving[key].add_done_callback(lambda _: self._leaving.pop(key))


async def _finish(held: Held) -> None:
    await held.runner.close()
    await end(held.tasks)
    try:
        await held.connector.aclose()
    except Exception as error:  # noqa: BLE001  # it is not used any more, whatever is the matter with it
        log.warning("connector_not_closed", connection_id=held.lane.connection_id, reason=str(error))


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: Python 3.11 loses a cancellation that meets the end of a `wait_for`, as the database
    driver has many.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
