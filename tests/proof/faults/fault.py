"""What every fault is, and what several of them do.

`passes` is how many passes of a relay may be sent a second time because of the fault: one that Kafka has acknowledged
or may have, and one whose rows were being deleted, for each relay that it cuts off.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from services.supervisor import SYNCSTORE
from tests.proof.system import PATIENCE, System, until
from tests.proof.traffic import Traffic
from tests.support.process import end


class Fault:
    name: ClassVar[str]
    passes: ClassVar[int] = 0
    planted: ClassVar[int] = 0
    """Records that are none, which the fault leaves in the topics."""

    def impossible(self) -> str | None:
        """Why this fault cannot be had on this machine."""
        return None

    async def strike(self, system: System, traffic: Traffic) -> str:
        """While everything is at work; answers what was measured besides recovery."""
        raise NotImplementedError


async def killed(system: System, part: str, number: int = 0) -> str:
    before = system.pids(part)
    system.kill(part, number)

    async def back() -> bool:
        return len(system.pids(part)) == len(before) and before[number] not in system.pids(part)

    return f"started again after {await until(back):.1f} s"


class OneMore:
    """Another process of a part, ended in order."""

    def __init__(self, system: System, part: str) -> None:
        self._system, self._part = system, part

    async def __aenter__(self) -> None:
        self._process = await start(self._system, self._part)

    async def __aexit__(self, *_: object) -> None:
        await end(self._process, 30)


async def start(system: System, *words: str) -> asyncio.subprocess.Process:
    with (system.log.parent / "others.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *SYNCSTORE, *words, env=system.environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )


async def syncstore(system: System, *words: str) -> None:
    process = await start(system, *words)
    async with asyncio.timeout(PATIENCE):
        code = await process.wait()
    said = (system.log.parent / "others.log").read_text(errors="replace")[-2_000:]
    assert code == 0, f"syncstore {' '.join(words)} ended with {code}: {said}"
