"""Commands of concurrent callers share a statement: what waits while one is in flight rides in the next.

There is no timer, so a lone caller waits for nobody. When many come, half of them ride in a second statement, so that
the database works while the answers of the other half are read and their next commands are made. A rider that gives up
leaves the statement as it is. When the database cannot be reached, each rider learns it; when it refuses the statement,
each command is sent again by itself, so that only the one that is at fault fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple

from domain.messages import Append, Outcome
from infrastructure.event_store.statement import marks, size
from infrastructure.postgres.errors import DatabaseUnavailable

MOST_RIDERS: Final = 256
MOST_BYTES: Final = 2 * 1024 * 1024
"""Of one statement; a single command may be larger."""
STATEMENTS: Final = 2
"""Of one organisation in flight at a time."""
LEAST_RIDERS: Final = 4
"""Of a second statement, and left to the first: what a statement costs by itself is not worth it for fewer."""

Send = Callable[[str, Sequence[Append]], Awaitable[Sequence[Outcome]]]


class Rider(NamedTuple):
    append: Append
    seat: asyncio.Future[Outcome]
    touches: set[tuple[str, ...]]
    """Stream, key and claims: what no other may have that is under way."""


class Grouping:
    """One queue per organisation."""

    def __init__(self, send: Send, *, most: int = MOST_RIDERS, most_bytes: int = MOST_BYTES) -> None:
        self._send = send
        self._most = most
        self._most_bytes = most_bytes
        self._queues: dict[str, _Queue] = {}

    async def append(self, org_id: str, append: Append) -> Outcome:
        queue = self._queues.get(org_id)
        if queue is None:
            queue = self._queues[org_id] = _Queue()
        seat: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        queue.waiting.append(Rider(append, seat, marks(append)))
        if queue.takes_another_statement:
            queue.drivers.add(asyncio.create_task(self._drive(org_id, queue)))
        return await seat

    async def _drive(self, org_id: str, queue: _Queue) -> None:
        try:
            while riders := queue.board(self._most, self._most_bytes):
                try:
                    await self._carry(org_id, riders)
                finally:
                    queue.land(riders)
                await asyncio.sleep(0)  # so that who was answered and has more to append rides in the next
        except BaseException:
            _refuse(queue.waiting, ConnectionAbortedError("the event store is closing; nothing was stored"))
            queue.waiting.clear()
            raise
        finally:
            # No await since nobody was found to board: what waits now, if any, another statement in flight holds back.
            queue.drivers.discard(asyncio.current_task())
            if not queue.drivers:
                del self._queues[org_id]

    async def _carry(self, org_id: str, riders: Sequence[Rider]) -> None:
        try:
            results = await self._send(org_id, [rider.append for rider in riders])
        except DatabaseUnavailable as error:
            _refuse(riders, error)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the one rider's to handle
            if len(riders) == 1:
                _refuse(riders, error)
            else:
                for rider in riders:
                    await self._carry(org_id, [rider])
        except BaseException:
            _refuse(
                riders, ConnectionAbortedError("the event store is closing; what became of this append is not known")
            )
            raise
        else:
            for rider, result in zip(riders, results, strict=True):
                if not rider.seat.done():
                    rider.seat.set_result(result)


class _Queue:
    """Who waits of an organisation, and what its statements in flight touch."""

    __slots__ = ("_held_back", "_riding", "_touched", "drivers", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Rider] = deque()
        self.drivers: set[asyncio.Task[None] | None] = set()
        self._touched: set[tuple[str, ...]] = set()
        self._riding = 0
        self._held_back = 0
        """So many of those who wait, the first, contend with others: no need to look at them before something lands."""

    @property
    def takes_another_statement(self) -> bool:
        if not self.drivers:
            return True
        return len(self.drivers) < STATEMENTS and len(self.waiting) - self._held_back >= LEAST_RIDERS

    def board(self, most: int, most_bytes: int) -> list[Rider]:
        """The next riders, in order of arrival; where many are under way, half of all. Who has a stream, key or claim
        in common with another, of these or in flight, stays behind.
        """
        everybody = self._riding + len(self.waiting)
        if everybody >= STATEMENTS * LEAST_RIDERS:
            most = min(most, -(-everybody // STATEMENTS))
        riders: list[Rider] = []
        staying: list[Rider] = []
        touched = set(self._touched)
        weight = 0
        while self.waiting and len(riders) < most and weight < most_bytes:
            rider = self.waiting.popleft()
            if rider.seat.cancelled():
                continue
            if touched.isdisjoint(rider.touches):
                riders.append(rider)
                weight += size(rider.append)
            else:
                staying.append(rider)
            touched |= rider.touches  # one that stays also holds back those after it, so that arrival order is kept
        self.waiting.extendleft(reversed(staying))
        self._held_back = len(staying)
        self._riding += len(riders)
        self._touched.update(*(rider.touches for rider in riders))
        return riders

    def land(self, riders: Sequence[Rider]) -> None:
        self._held_back = 0
        self._riding -= len(riders)
        self._touched.difference_update(*(rider.touches for rider in riders))


def _refuse(riders: Iterable[Rider], error: Exception) -> None:
    for rider in riders:
        if not rider.seat.done():
            rider.seat.set_exception(error)
