"""What every benchmark has in common: its sizes, its servers, its command line, its answer in JSON."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from infrastructure.local_stack.stack import LocalStack, StackAddress
from infrastructure.local_stack.stack import Part as Server
from tests.benchmarks.figures import Part
from tests.benchmarks.progress import Progress

ROOT: Final = Path(__file__).parents[2]
JARS: Final = ROOT / ".local" / "jars"


class Size(StrEnum):
    SMALL = "small"
    """Does everything once or twice, with little: whether it works, not how fast."""
    FULL = "full"


@contextmanager
def servers(*wanted: Server) -> Iterator[StackAddress]:
    """PostgreSQL and Kafka of their own, which write through to the disk, in a folder that is deleted in the end."""
    folder = Path(tempfile.mkdtemp(prefix="syncstore-bench-"))
    folder.chmod(0o755)
    stack = LocalStack(folder, jars=JARS)
    try:
        yield stack.up(wanted or tuple(Server))
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def run(name: str, measure: Callable[[Size, Progress], Awaitable[Part]]) -> None:
    """The command line of one benchmark: figures in JSON on standard output, progress beside it."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=measure.__doc__)
    parser.add_argument("--size", type=Size, choices=list(Size), default=Size.FULL)
    given = parser.parse_args()
    progress = Progress(name)

    async def measured() -> Part:
        return await measure(given.size, progress)

    found = uvloop.run(measured())
    progress.end()
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)))
    sys.stdout.write("\n")
