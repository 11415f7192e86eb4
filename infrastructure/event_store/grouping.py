"""Commands of concurrent callers share a statement: what waits while one is in flight rides in the next.

There is no timer, so a lone caller waits for nobody. A rider that gives up leaves the statement as it is. When the
database cannot be reached, each rider learns it; when it refuses the statement, each command is sent again by itself,
so that only the one that is at fault fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from domain.messages import Append, Outcome
from infrastructure.event_store.statement import marks, size
from infrastructure.postgres.errors import DatabaseUnavailable

MOST_RIDERS: Final = 256
MOST_BYTES: Final = 2 * 1024 * 1024
"""Of one statement; a single command may be larger."""

Send = Callable[[str, Sequence[Append]], Awaitable[Sequence[Outcome]]]
Rider = tuple[Append, "asyncio.Future[Outcome]"]


class Grouping:
    """One queue per organisation, one statement of it in flight at a time."""

    def __init__(self, send: Send, *, most: int = MOST_RIDERS, most_bytes: int = MOST_BYTES) -> None:
        self._send = send
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: dict[str, deque[Rider]] = {}
        self._drivers: dict[str, asyncio.Task[None]] = {}

    async def append(self, org_id: str, append: Append) -> Outcome:
        seat: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(org_id, deque()).append((append, seat))
        if org_id not in self._drivers:
            self._drivers[org_id] = asyncio.create_task(self._drive(org_id))
        return await seat

    async def _drive(self, org_id: str) -> None:
        waiting = self._waiting[org_id]
        try:
            while waiting:
                await self._carry(org_id, self._board(waiting))
        finally:
            # No await since the queue was seen empty: nobody has joined in between. Only a stop leaves some behind.
            _refuse(waiting, ConnectionAbortedError("the event store is closing; nothing was stored"))
            del self._drivers[org_id], self._waiting[org_id]

    async def _carry(self, org_id: str, riders: Sequence[Rider]) -> None:
        if not riders:
            return
        try:
            results = await self._send(org_id, [append for append, _ in riders])
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
            for (_, seat), result in zip(riders, results, strict=True):
                if not seat.done():
                    seat.set_result(result)

    def _board(self, waiting: deque[Rider]) -> list[Rider]:
        """The next riders, in order of arrival. Of two with a stream, key or claim in common one stays behind."""
        riders: list[Rider] = []
        staying: list[Rider] = []
        used: set[tuple[str, ...]] = set()
        weight = 0
        while waiting and len(riders) < self._most and weight < self._most_bytes:
            rider = waiting.popleft()
            append, seat = rider
            if seat.cancelled():
                continue
            wanted = marks(append)
            if used.isdisjoint(wanted):
                riders.append(rider)
                weight += size(append)
            else:
                staying.append(rider)
            used |= wanted  # one that stays behind also holds back those after it, so that arrival order is kept
        waiting.extendleft(reversed(staying))
        return riders


def _refuse(riders: Iterable[Rider], error: Exception) -> None:
    for _, seat in riders:
        if not seat.done():
            seat.set_exception(error)
