"""Several processes in one terminal: start them, show their lines, restart what dies, stop all cleanly.

Each part is the same command that production runs on its own. It ends with the supervisor, even a killed one: its
standard input is a pipe that the supervisor holds open, see `services.supervised`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

STOP_SECONDS: Final = 15.0
"""How long a part may take to finish what it has begun."""
CALM_SECONDS: Final = 30.0
"""A part that has run this long starts its restart delays anew."""
LONGEST_DELAY: Final = 10.0
AUTOGROUP_TRIES: Final = 50

SYNCSTORE: Final = (sys.executable, "-m", "services.cli.main")

Say = Callable[[str, str], None]
"""Takes the part's name and a line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A process by name: the arguments after `syncstore`, and environment of its own."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0
    """Added to the process's own: a higher one yields the processors to the other parts."""


class Supervisor:
    def __init__(
        self, parts: Sequence[Part], environment: Mapping[str, str], say: Say, *, command: Sequence[str] = SYNCSTORE
    ) -> None:
        self._command = command
        self._parts = parts
        self._environment = environment
        self._say = say
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._lifeline = -1

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._running.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Keep every part running until `stop`, then stop them in reverse order of their start."""
        self._lifeline, held = os.pipe()
        try:
            keepers = [asyncio.create_task(self._keep(part)) for part in self._parts]
            await stop.wait()
            self._stopping.set()
            for part in reversed(self._parts):
                await self._end(part.name)
            await asyncio.gather(*keepers)
        finally:
            os.close(held)
            os.close(self._lifeline)

    async def _keep(self, part: Part) -> None:
        delay = 0.5
        while not self._stopping.is_set():
            started = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *part.arguments,
                env={**self._environment, **part.environment, "SYNCSTORE_SUPERVISED": "true"},
                stdin=self._lifeline,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                preexec_fn=partial(os.nice, part.niceness),
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the parts in order
            )
            self._running[part.name] = process
            await _pass_niceness_on(process.pid)
            await self._show(part.name, process)
            code = await process.wait()
            del self._running[part.name]
            if self._stopping.is_set():
                return
            if time.monotonic() - started > CALM_SECONDS:
                delay = 0.5
            self._say(part.name, f"ended with exit code {code}; starting it again in {delay:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _show(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the stream's limit: the rest follows as the next line
                continue
            if not line:
                return
            self._say(name, line.decode(errors="replace").rstrip())

    async def _end(self, name: str) -> None:
        process = self._running.get(name)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._say(name, f"did not stop within {STOP_SECONDS:g} s; killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _pass_niceness_on(pid: int) -> None:
    """From a part to its session: Linux shares processors between sessions first, each part has one of its own, and the
    niceness of a process counts within its session alone.
    """
    for _ in range(AUTOGROUP_TRIES):
        if _is_passed_on(pid):
            return
        await asyncio.sleep(0.1)


def _is_passed_on(pid: int) -> bool:
    """False when it should be tried again."""
    try:
        if niceness := os.getpriority(os.PRIO_PROCESS, pid):
            Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")
    except BlockingIOError:  # the kernel takes ten of these a second, from the whole machine
        return False
    except OSError:  # no such thing here, or not allowed: the part works as it does, and takes its share
        return True
    return True
