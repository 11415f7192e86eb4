import errno
import random
import socket
from contextlib import suppress
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel draws client ports, so that no outgoing connection sits on a remembered one.
LOWEST, HIGHEST = 20_000, 31_999


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now (connections that linger after a stop do not count)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def choose_free(excluding: frozenset[int]) -> int:
    """A free loopback port, drawn at random so that two stacks starting together do not meet."""
    candidates = random.sample(range(LOWEST, HIGHEST + 1), k=200)
    for port in candidates:
        if port not in excluding and is_free(port):
            return port
    raise LocalStackError(
        f"No free port found on {LOOPBACK} between {LOWEST} and {HIGHEST}. Stop a program that listens there."
    )


def describe_holder(port: int) -> str:
    """Who listens on the port, as far as this user may know; only Linux tells."""
    with suppress(OSError, ValueError, IndexError):
        inode = _listening_inode(port)
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if str(descriptor.readlink()) == f"socket:[{inode}]":
                    process = descriptor.parts[2]
                    name = Path(f"/proc/{process}/comm").read_text().strip()
                    return f"process {process} ({name})"
    return "another program"


def _listening_inode(port: int) -> int:
    """The socket's inode by the kernel's table: local address is field 1, state 0A is LISTEN, the inode is field 9."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port:
            return int(fields[9])
    raise ValueError(port)
