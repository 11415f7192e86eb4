from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.supervisor import Part, Supervisor

PYTHON = (sys.executable, "-u", "-c")
WAITS = "import signal, sys; print('ready'); signal.sigwait({signal.SIGTERM}); print('clean stop')"


AUTOGROUP = Path("/proc/self/autogroup")
TELLS_ITS_SESSIONS_NICENESS = """
import os, time
from pathlib import Path
def niceness():
    return int(Path("/proc/self/autogroup").read_text().split()[-1])
while niceness() != os.nice(0):
    time.sleep(0.01)
print(niceness())
"""


class Terminal:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def __call__(self, part: str, line: str) -> None:
        self.lines.append((part, line))

    async def shows(self, condition: Callable[[list[tuple[str, str]]], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition(self.lines):
                await asyncio.sleep(0.01)


async def test_every_part_is_started_shown_and_stopped_cleanly_in_reverse_order() -> None:
    terminal, stop = Terminal(), asyncio.Event()
    blocked = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM});" + WAITS
    parts = [Part("first", (blocked,)), Part("second", (blocked,))]
    supervisor = Supervisor(parts, os.environ, terminal, command=PYTHON)
    running = asyncio.create_task(supervisor.run(stop))
    await terminal.shows(lambda lines: lines.count(("first", "ready")) + lines.count(("second", "ready")) == 2)
    stop.set()
    await asyncio.wait_for(running, 20)
    assert [line for line in terminal.lines if line[1] == "clean stop"] == [
        ("second", "clean stop"),
        ("first", "clean stop"),
    ]


async def test_a_part_that_is_killed_is_started_again() -> None:
    terminal, stop = Terminal(), asyncio.Event()
    supervisor = Supervisor([Part("only", (WAITS,))], os.environ, terminal, command=PYTHON)
    running = asyncio.create_task(supervisor.run(stop))
    await terminal.shows(lambda lines: ("only", "ready") in lines)
    os.kill(supervisor.pids["only"], signal.SIGKILL)
    await terminal.shows(lambda lines: lines.count(("only", "ready")) == 2)
    assert ("only", "ended with exit code -9; starting it again in 0.5 s") in terminal.lines
    stop.set()
    await asyncio.wait_for(running, 20)


async def test_a_part_sees_its_own_environment() -> None:
    terminal, stop = Terminal(), asyncio.Event()
    part = Part("only", ("import os; print(os.environ['SYNCSTORE_METRICS_PORT'])",), {"SYNCSTORE_METRICS_PORT": "9101"})
    running = asyncio.create_task(Supervisor([part], os.environ, terminal, command=PYTHON).run(stop))
    await terminal.shows(lambda lines: ("only", "9101") in lines)
    stop.set()
    await asyncio.wait_for(running, 20)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this system shares processors between processes, not sessions")
@pytest.mark.parametrize("niceness", [0, 7])
async def test_a_session_is_as_nice_as_its_part_whatever_sessions_change_at_the_same_time(niceness: int) -> None:
    said: list[str] = []
    parts = [Part(str(number), (TELLS_ITS_SESSIONS_NICENESS,), niceness=niceness) for number in range(4)]
    stop = asyncio.Event()

    def say(_: str, line: str) -> None:
        if line.isdigit():
            said.append(line)
        if len(said) == len(parts):
            stop.set()

    async with asyncio.timeout(60):
        await Supervisor(parts, os.environ, say, command=PYTHON).run(stop)
    assert said[: len(parts)] == [str(niceness)] * len(parts)
