"""What every benchmark has in common: its sizes, its servers, its command line, its answer in JSON."""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec
import structlog
import uvloop

from infrastructure.local_stack.stack import LocalStack, StackAddress
from infrastructure.local_stack.stack import Part as Server
from tests.benchmarks.figures import Part
from tests.benchmarks.progress import Progress

P = ParamSpec("P")
T = TypeVar("T")
ROOT: Final = Path(__file__).parents[2]
JARS: Final = ROOT / ".local" / "jars"


class Size(StrEnum):
    SMALL = "small"
    """Does everything once or twice, with little: whether it works, not how fast."""
    FULL = "full"
    LARGE = "large"
    """As full, and with a million products, ten million events and backlogs of a million rows where sizes matter."""


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


def keep_quiet() -> None:
    """Standard output is for figures alone; to be said in every process."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def alone(turn: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
    """A function of a module in a new process, as in service: nobody's objects are another's burden."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, initializer=keep_quiet) as elsewhere:
        return await asyncio.wrap_future(elsewhere.submit(turn, *arguments, **more))


def run(name: str, measure: Callable[[Size, Progress], Awaitable[Part]], *, knows_large: bool = False) -> None:
    """The command line of one benchmark: figures in JSON on standard output, progress beside it.

    One that does not know the large size measures at the full one instead.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}", description=measure.__doc__)
    parser.add_argument("--size", type=Size, choices=list(Size), default=Size.FULL)
    given = parser.parse_args()
    size = Size.FULL if given.size is Size.LARGE and not knows_large else given.size
    keep_quiet()
    progress = Progress(name)

    async def measured() -> Part:
        return await measure(size, progress)

    found = uvloop.run(measured())
    progress.end()
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(found)))
    sys.stdout.write("\n")
