"""A part ends with its supervisor, however that ends: killed, it can tell nobody, but the pipe it held then closes."""

from __future__ import annotations

import os
import signal
import threading
import time

from services.supervisor import STOP_SECONDS


def end_with_supervisor(*, patience: float = STOP_SECONDS) -> None:
    """Stop this process as by SIGTERM when its standard input ends, and by force `patience` seconds later."""
    threading.Thread(target=_watch, args=(patience,), name="supervisor", daemon=True).start()


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
