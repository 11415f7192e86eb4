"""An event loop that a seed drives: virtual time, a random one of what is ready goes next, processes die or freeze.

Nothing here waits for anything real. What runs next depends on the seed alone, so a schedule can be run again.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Process:
    """What dies as one. Its callbacks run while it is alive, and wait while it is frozen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.woke_at = 0.0
        """When it was thawed last."""
        self.waiting: list[asyncio.Handle] = []
        self.context = OUTSIDE.copy()
        self.context.run(running.set, self)


running: Final[ContextVar[Process | None]] = ContextVar("running", default=None)
"""The process that the current callback belongs to; None for the world outside of all of them."""
OUTSIDE: Final = Context()
"""Of callbacks that outlive whoever caused them: messages on the wire, servers."""


class Stuck(AssertionError):
    """Nothing is left to run, or far too much was run, and the schedule has not ended."""


class Scheduler(asyncio.BaseEventLoop):
    """Raises Stuck from `run`."""

    def __init__(self, seed: str, *, most_steps: int = 60_000) -> None:
        # Nothing of what the base class would set up is used; only its methods that need none of it.
        self.random = random.Random(seed)
        self.steps = 0
        self.failures: list[dict[str, Any]] = []
        self._most_steps = most_steps
        self._now = 1_000.0
        self._soon: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[Any]] = []
        self._over = False

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Until `main` has ended; everything else is abandoned where it is."""
        asyncio._set_running_loop(self)
        try:
            task: asyncio.Task[T] = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()
        finally:
            self._abandon()
            asyncio._set_running_loop(None)

    def spawn(self, process: Process, main: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin a process: all that `main` begins is part of it."""
        return self.create_task(main, context=process.context.copy())

    def kill(self, process: Process) -> None:
        """From now on it does nothing, not even clean up."""
        process.alive = False
        process.waiting.clear()

    def thaw(self, process: Process) -> None:
        process.frozen = False
        process.woke_at = self._now
        self._soon += process.waiting
        process.waiting.clear()

    def later(
        self, seconds: float, callback: Callable[..., object], *args: Any, process: Process | None = None
    ) -> None:
        """Within a process, or outside of all."""
        context = OUTSIDE if process is None else process.context
        if seconds > 0:
            self.call_at(self._now + seconds, callback, *args, context=context)
        else:
            self.call_soon(callback, *args, context=context)

    def _step(self) -> None:
        ready = self._soon
        if not ready:
            self._wait()
        place = int(self.random.random() * len(ready))
        ready[place], ready[-1] = ready[-1], ready[place]
        handle: Any = ready.pop()
        if handle._cancelled:
            return
        context = handle._context
        process = context.get(running)
        if process is not None:
            if not process.alive:
                return
            if process.frozen:
                process.waiting.append(handle)
                return
        self.steps += 1
        if self.steps > self._most_steps:
            raise Stuck(f"after {self.steps} steps the schedule has not ended")
        context.run(handle._callback, *handle._args)

    def _wait(self) -> None:
        """Nothing is ready: go to the time of the next timers."""
        timers = self._timers
        while not self._soon:
            if not timers:
                raise Stuck("everybody waits for somebody else")
            when, _, timer = heapq.heappop(timers)
            if not timer._cancelled:
                self._now = max(self._now, when)
                self._soon.append(timer)
        while timers and timers[0][0] <= self._now:
            self._soon.append(heapq.heappop(timers)[2])

    def _abandon(self) -> None:
        self._over = self._closed = True
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # abandoned on purpose
                coroutine: Any = task.get_coro()
                with suppress(BaseException):  # what an abandoned coroutine does last is of no interest
                    while True:  # for it may give way once more on its way out
                        coroutine.throw(asyncio.CancelledError())
        self._tasks.clear()
        self._soon.clear()
        self._timers.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self._over

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._over:
            self.failures.append(context)

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._soon.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        if self._over:
            raise asyncio.CancelledError  # there is nothing more to wait for
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        if self._over:
            coro.close()
            raise asyncio.CancelledError  # nothing more begins
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=str(name), context=context)
        self._tasks.append(task)
        return task

    async def run_in_executor(self, executor: Any, function: Callable[..., T], *args: Any) -> T:  # type: ignore[override]  # awaited at once by everybody
        """Threads there are none of: the function runs in one piece, at some moment."""
        await asyncio.sleep(self.random.random() * 0.01)
        return copy_context().run(function, *args)
