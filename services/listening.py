"""Taking a port to serve on, or telling that it is taken."""

from __future__ import annotations

import os
import socket

from domain.errors import SyncStoreError


class PortTaken(SyncStoreError):
    """The address to serve on cannot be listened on; most often another process does."""


def listen(host: str, port: int, *, remedy: str) -> socket.socket:
    """Bound here and not by the server, which ends the process where it cannot.

    Raises PortTaken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise PortTaken(f"port {port} on {host} cannot be listened on ({reason}); {remedy}") from error
