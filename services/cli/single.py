"""One system at a time in a folder: a second would fight the first for ports, data and what it shows."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import SyncStoreError
from infrastructure.local_stack.state import make_folder


class RunsAlready(SyncStoreError):
    """Another process has the folder."""


@contextmanager
def only_one(lock: Path, what: str) -> Iterator[None]:
    """Hold the lock file, in which `what` runs is told; the kernel releases it with the process, however that ends.

    Raises RunsAlready, LocalStackError for a folder that cannot be written.
    """
    make_folder(lock.parent)
    with lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunsAlready(
                f"SyncStore is running already in {lock.parent}: {holder}. "
                "Stop it first, or give this one a folder of its own with SYNCSTORE_LOCAL_FOLDER"
            ) from error
        file.truncate(0)
        file.write(f"{what}, process {os.getpid()}")
        file.flush()
        yield
