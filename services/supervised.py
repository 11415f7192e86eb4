"""What a part owes its supervisor: it ends when that ends, however, and yields to other parts as it was told.

A killed supervisor can tell nobody, but the pipe it held then closes.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

from services.supervisor import STOP_SECONDS

AUTOGROUP: Final = Path("/proc/self/autogroup")
TRIES: Final = 50


def end_with_supervisor(*, patience: float = STOP_SECONDS) -> None:
    """Stop this process as by SIGTERM when its standard input ends, and by force `patience` seconds later."""
    threading.Thread(target=_watch, args=(patience,), name="supervisor", daemon=True).start()


def pass_niceness_on() -> threading.Thread:
    """Linux shares processors between sessions first, and a process's own niceness counts within its session alone:
    each part has one of its own, which therefore has to be as nice as its process is.
    """
    thread = threading.Thread(target=_pass_on, name="niceness", daemon=True)
    thread.start()
    return thread


def _pass_on() -> None:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    for _ in range(TRIES if niceness and AUTOGROUP.exists() else 0):
        try:
            AUTOGROUP.write_text(str(niceness), encoding="ascii")
        except BlockingIOError:  # the kernel takes ten of these a second, from the whole machine
            time.sleep(0.1)
        except OSError:  # not allowed to: it works as it does, and takes its share
            return
        else:
            return


def _watch(patience: float) -> None:
    try:
        while os.read(0, 1):
            pass
    except OSError:  # no standard input is no supervisor either
        pass
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # the supervisor read them: each further line would fail, and the stop with it
        os.dup2(nowhere, stream)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(patience)
    os._exit(1)
