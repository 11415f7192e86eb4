"""Appends by the PostgreSQL recorder of pyeventsourcing: threads, as it knows no asyncio.

It stores less than we do for a command: an event and its version, but neither an idempotency key nor an outbox row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg.conninfo import conninfo_to_dict

from tests.benchmarks.peers.installed import peer

STREAMS_PER_CALLER: Final = 20
MOST_CONNECTIONS: Final = 16
"""More do not help: by default its writers exclude each other with a lock on the table."""


@contextmanager
def recorder(url: str, callers: int, *, db_functions: bool) -> Iterator[Any]:
    """`db_functions` is its opt-in fast path, without the lock that keeps readers from overlooking events."""
    postgres = peer("eventsourcing.postgres")
    server = conninfo_to_dict(url)
    datastore = postgres.PostgresDatastore(
        dbname=server["dbname"],
        host=server["host"],
        port=server["port"],
        user=server["user"],
        password=server.get("password", ""),
        pool_size=min(callers, MOST_CONNECTIONS),
        connect_timeout=60.0,
        enable_db_functions=db_functions,
    )
    with datastore:
        table = "stored_events_functions" if db_functions else "stored_events"
        made = postgres.PostgresApplicationRecorder(datastore, events_table_name=table)
        made.create_table()
        yield made


def append(made: Any, callers: int, seconds: float, data: bytes) -> tuple[list[float], float]:
    """Each caller appends one event after the other to streams of its own; the latencies, and the time all took."""
    stored_event = peer("eventsourcing.persistence").StoredEvent
    end = time.perf_counter() + seconds
    found: list[list[float]] = []
    failed: list[BaseException] = []

    def call() -> None:
        latencies: list[float] = []
        streams: list[UUID] = [uuid4() for _ in range(STREAMS_PER_CALLER)]
        number = 0
        try:
            while True:
                version, turn = divmod(number, STREAMS_PER_CALLER)
                event = stored_event(streams[turn], version + 1, "product.base-price-changed", data)
                number += 1
                began = time.perf_counter()
                made.insert_events([event])
                ended = time.perf_counter()
                latencies.append(ended - began)
                if ended > end:
                    break
        except BaseException as error:  # noqa: BLE001  # handed to the thread that waits
            failed.append(error)
        found.append(latencies)

    began = time.perf_counter()
    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return [one for latencies in found for one in latencies], time.perf_counter() - began
