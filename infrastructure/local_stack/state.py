import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.process import ProcessIdentity

Report = Callable[[str], None]

LOCK_PATIENCE_SECONDS = 180


class State(msgspec.Struct):
    """What the stack remembers between runs. A part without a process was stopped on purpose or never started."""

    ports: dict[str, int] = {}
    processes: dict[str, ProcessIdentity] = {}
    versions: dict[str, str] = {}


class StateFile:
    def __init__(self, path: Path, report: Report) -> None:
        self._path = path
        self._report = report

    def load(self) -> State:
        """The remembered state; a damaged file is set aside and reported, for servers can be found without it."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except msgspec.DecodeError as error:
            aside = self._path.with_suffix(".damaged")
            self._path.replace(aside)
            self._report(f"{self._path} is damaged ({error}); kept as {aside.name}, started afresh")
            return State()

    def save(self, state: State) -> None:
        """Atomic: a reader, or a kill at any point, meets the old content or the new."""
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)


@contextmanager
def exclusive(path: Path, report: Report) -> Iterator[None]:
    """Hold the lock file; the kernel releases it with the process, so a kill leaves nothing to clean up."""
    with path.open("a") as file:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise LocalStackError(
                        f"Another process has held {path} for {LOCK_PATIENCE_SECONDS} seconds. "
                        "Wait for that command to end, or stop it."
                    ) from error
                if not waiting:
                    report(f"waiting for another command that holds {path}")
                    waiting = True
                time.sleep(0.05)
        yield


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise LocalStackError(
            f"{folder} cannot be written ({error.strerror}). Choose another folder, or let this user write there."
        ) from error
