"""Commands of concurrent callers share a statement: what waits while one is in flight rides in the next.

There is no timer, so a lone caller waits for nobody. A rider that gives up leaves the statement as it is; an error of
the statement reaches each of its riders.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from domain.messages import Append, Outcome

MOST_RIDERS: Final = 256

Send = Callable[[str, Sequence[Append]], Awaitable[Sequence[Outcome]]]
Rider = tuple[Append, "asyncio.Future[Outcome]"]


class Grouping:
    """One queue per organisation, one statement of it in flight at a time."""

    def __init__(self, send: Send, *, most: int = MOST_RIDERS) -> None:
        self._send = send
        self._most = most
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
                await self._carry(org_id, _board(waiting, self._most))
        finally:
            # No await since the queue was seen empty: nobody has joined in between. Only a stop leaves some behind.
            _refuse(waiting, ConnectionAbortedError("the event store is closing; nothing was stored"))
            del self._drivers[org_id], self._waiting[org_id]

    async def _carry(self, org_id: str, riders: Sequence[Rider]) -> None:
        try:
            results = await self._send(org_id, [append for append, _ in riders])
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the riders' to handle
            _refuse(riders, error)
            return
        except BaseException:
            _refuse(
                riders, ConnectionAbortedError("the event store is closing; what became of this append is not known")
            )
            raise
        for (_, seat), result in zip(riders, results, strict=True):
            if not seat.done():
                seat.set_result(result)


def _refuse(riders: Iterable[Rider], error: Exception) -> None:
    for _, seat in riders:
        if not seat.done():
            seat.set_exception(error)


def _board(waiting: deque[Rider], most: int) -> list[Rider]:
    """The next riders, in order of arrival. Of two with a stream, key or claim in common the second stays behind."""
    riders: list[Rider] = []
    staying: list[Rider] = []
    used: set[tuple[str, ...]] = set()
    while waiting and len(riders) < most:
        rider = waiting.popleft()
        if rider[1].cancelled():
            continue
        marks = _marks(rider[0])
        if used.isdisjoint(marks):
            riders.append(rider)
        else:
            staying.append(rider)
        used |= marks  # one that stays behind also holds back those after it, so that arrival order is kept
    waiting.extendleft(reversed(staying))
    return riders


def _marks(append: Append) -> set[tuple[str, ...]]:
    marks: set[tuple[str, ...]] = {("stream", append.stream_id)}
    if append.idempotency is not None:
        marks.add(("key", append.idempotency.key))
    marks.update(("claim", claim.kind, claim.value) for claim in (*append.claims, *append.releases))
    return marks
