"""What becomes of parts whose supervisor is killed: it cannot stop them, so they notice."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.local_stack.process import identify, wait_gone

SUPERVISOR = """
import asyncio, os, sys
from services.supervisor import Part, Supervisor
say = lambda part, line: print(line, flush=True)
parts = [Part("one", (sys.argv[1],)), Part("two", (sys.argv[1],))]
asyncio.run(Supervisor(parts, os.environ, say, command=(sys.executable, "-u", "-c")).run(asyncio.Event()))
"""
POLITE = """
import os, signal, sys
from services.supervised import end_with_supervisor
def leave(*_):
    print("nobody reads this any more")
    with open(os.environ["FAREWELLS"], "a") as file: file.write("stopped cleanly\\n")
    sys.exit()
signal.signal(signal.SIGTERM, leave)
end_with_supervisor(patience=60)
print(os.getpid())
while True: signal.pause()
"""
DEAF = """
import os, signal
from services.supervised import end_with_supervisor
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with_supervisor(patience=0.1)
print(os.getpid())
while True: signal.pause()
"""


@pytest.mark.parametrize(("part", "farewells"), [(POLITE, "stopped cleanly\n" * 2), (DEAF, "")])
async def test_parts_stop_as_by_a_signal_when_their_supervisor_is_killed(
    part: str, farewells: str, tmp_path: Path
) -> None:
    told = tmp_path / "farewells"
    told.touch()
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, part, env={**os.environ, "FAREWELLS": str(told)}, stdout=subprocess.PIPE
    )
    assert supervisor.stdout is not None
    try:
        async with asyncio.timeout(60):
            pids = [int(await supervisor.stdout.readline()) for _ in range(2)]
        parts = [identify(pid) for pid in pids]
    finally:
        supervisor.kill()
        await supervisor.wait()
    assert None not in parts
    assert [await asyncio.to_thread(wait_gone, one, 30) for one in parts if one is not None] == [True, True]
    assert told.read_text() == farewells
