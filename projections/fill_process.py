"""A process of a rebuild: told on standard input what to fill, it answers a line with the events of each bucket.

Begun as `python -m projections.fill_process` rather than forked or spawned by multiprocessing, which would import the
program of its parent first.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from domain.errors import SyncStoreError
from projections.fill import Source, fill
from projections.projection import AnyView
from projections.registry import VIEWS


class Task(Struct, frozen=True, kw_only=True):
    source: Source
    view: str
    generation: int


class FillFailed(SyncStoreError):
    """A process that was to fill a view ended with an error, which it wrote to standard error."""


async def fill_in_process(source: Source, view: AnyView, generation: int) -> AsyncGenerator[int, None]:
    """`fill` in a process of its own.

    Raises FillFailed.
    """
    task = msgspec.json.encode(Task(source=source, view=view.name, generation=generation))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None, "asked for"
    assert process.stdout is not None, "asked for"
    try:
        process.stdin.write(task + b"\n")
        process.stdin.close()
        async for line in process.stdout:
            yield int(line)
        if await process.wait():
            raise FillFailed(f"filling view {view.name} ended with exit code {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)
    view = next(view for view in VIEWS if view.name == task.view)
    for events in fill(task.source, view, task.generation):
        sys.stdout.write(f"{events}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
