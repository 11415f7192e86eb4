"""One question to a broker over the Kafka protocol: who are the brokers of which cluster? A broker that names itself
has registered with its controller and serves clients; an open port alone says neither.
"""

import socket
import struct
from dataclasses import dataclass

from infrastructure.local_stack.ports import LOOPBACK

METADATA_KEY, METADATA_VERSION = 3, 2
CLIENT = b"syncstore-local-stack"
NO_TOPICS = 0  # the length of the array of topics asked for; -1 would ask for all
TIMEOUT_SECONDS = 2.0
LARGEST_ANSWER = 65_536  # bytes; ours is about a hundred, and another protocol's greeting may read as gigabytes


@dataclass(frozen=True)
class ClusterMetadata:
    cluster_id: str | None
    broker_ports: frozenset[int]


def ask_metadata(port: int) -> ClusterMetadata:
    """Raises OSError when nobody answers there, ValueError when the answer is not Kafka's."""
    header = struct.pack(">hhih", METADATA_KEY, METADATA_VERSION, 1, len(CLIENT)) + CLIENT
    request = header + struct.pack(">i", NO_TOPICS)
    with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_SECONDS) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _receive(connection, 4))
        if not 0 < size <= LARGEST_ANSWER:
            raise ValueError("not an answer of the Kafka protocol")
        return _parse(_receive(connection, size))


def _receive(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise ConnectionError("the connection was closed in the middle of an answer")
        received += chunk
    return received


def _parse(answer: bytes) -> ClusterMetadata:
    """Version 2: correlation id, brokers (node id, host, port, rack), cluster id, controller id, topics."""
    try:
        _, count = struct.unpack_from(">ii", answer)
        at, ports = 8, set()
        for _ in range(count):
            _, at = _string(answer, at + 4)
            (port,) = struct.unpack_from(">i", answer, at)
            ports.add(port)
            _, at = _string(answer, at + 4)
        cluster_id, _ = _string(answer, at)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError("not an answer of the Kafka protocol") from error
    return ClusterMetadata(cluster_id=cluster_id, broker_ports=frozenset(ports))


def _string(answer: bytes, at: int) -> tuple[str | None, int]:
    """A nullable string and where it ends."""
    (length,) = struct.unpack_from(">h", answer, at)
    start, end = at + 2, at + 2 + max(length, 0)
    return (answer[start:end].decode() if length >= 0 else None), end
