import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infrastructure.local_stack.kafka_probe import ClusterMetadata, ask_metadata
from infrastructure.local_stack.ports import LOOPBACK


def nullable(text: str | None) -> bytes:
    return struct.pack(">h", -1) if text is None else struct.pack(">h", len(text)) + text.encode()


def answer(cluster: str | None, *ports: int) -> bytes:
    node, host, rack = struct.pack(">i", 1), nullable(LOOPBACK), nullable(None)
    brokers = b"".join(node + host + struct.pack(">i", port) + rack for port in ports)
    body = struct.pack(">ii", 1, len(ports)) + brokers + nullable(cluster) + struct.pack(">ii", 1, 0)
    return struct.pack(">i", len(body)) + body


@contextmanager
def server(reply: bytes) -> Iterator[int]:
    """Reads one request, sends the reply in two pieces and closes."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(reply[:3])
                connection.sendall(reply[3:])

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)


def test_the_brokers_and_the_cluster_are_read() -> None:
    with server(answer("cluster", 9092, 9093)) as port:
        assert ask_metadata(port) == ClusterMetadata(cluster_id="cluster", broker_ports=frozenset({9092, 9093}))


def test_a_broker_that_knows_no_cluster_yet_is_read() -> None:
    with server(answer(None)) as port:
        assert ask_metadata(port) == ClusterMetadata(cluster_id=None, broker_ports=frozenset())


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", answer("cluster", 9092)[:4] + b"\x7f" * 99])
def test_an_answer_of_another_protocol_is_refused(reply: bytes) -> None:
    with server(reply) as port, pytest.raises((ValueError, ConnectionError)):
        ask_metadata(port)


def test_a_connection_that_ends_early_is_an_error() -> None:
    with server(answer("cluster", 9092)[:10]) as port, pytest.raises(ConnectionError, match="middle of an answer"):
        ask_metadata(port)
