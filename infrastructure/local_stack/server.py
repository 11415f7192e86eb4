"""What the stack asks of each of its servers."""

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from infrastructure.local_stack.errors import LocalStackError, ServerDiedError
from infrastructure.local_stack.process import ProcessIdentity, is_alive, tail

READY_SECONDS = 90


class Server(Protocol):
    title: str
    #: Names of the ports it listens on; the first is the one for clients.
    port_names: tuple[str, ...]
    folder: Path
    pid_file: Path
    #: Stands in the command line of its process and of no other.
    marker: str

    def prepare(self) -> str:
        """Make ready to start, data included; the version that will run."""

    def start(self, ports: Mapping[str, int]) -> ProcessIdentity: ...

    def wait_ready(self, process: ProcessIdentity, ports: Mapping[str, int]) -> None:
        """Until it answers clients. LocalStackError when it dies or does not answer in time."""

    def is_start_worth_repeating(self) -> bool:
        """Whether it died of something that passes by itself."""

    def stop(self, process: ProcessIdentity) -> None: ...

    def configured_ports(self) -> dict[str, int]:
        """The ports of the last start as its configuration file has them; empty when there was none."""

    def address(self, ports: Mapping[str, int]) -> str: ...


def wait_until(ready: Callable[[], str | None], process: ProcessIdentity, title: str, log: Path) -> None:
    """Poll `ready`, which answers None or what is still amiss, as long as the process lives."""
    deadline = time.monotonic() + READY_SECONDS
    while (amiss := ready()) is not None:
        if not is_alive(process):
            raise ServerDiedError(f"{title} died at its start. {tail(log)}")
        if time.monotonic() > deadline:
            raise LocalStackError(
                f"{title} does not answer after {READY_SECONDS} seconds: {amiss}. Stop it and start again. {tail(log)}"
            )
        time.sleep(0.05)


def unfinished(folder: Path) -> Path:
    """Where to make data that are renamed when they are complete, so that a kill leaves nothing half-made in use.

    A new name each time: the program of a killed start may still be writing into the last one, which is removed.
    """
    for leftover in folder.glob("data.new*"):
        shutil.rmtree(leftover, ignore_errors=True)
    return folder / f"data.new.{secrets.token_hex(4)}"
