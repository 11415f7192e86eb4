"""The relay of faststream-outbox over its own PostgreSQL table, each row published with its key and waited for."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaProducer
from psycopg.conninfo import conninfo_to_dict

from infrastructure.kafka.client import KafkaSettings
from tests.benchmarks.peers.installed import peer
from tests.benchmarks.peers.records import Record

TABLE: Final = "faststream_outbox_rows"
QUEUE: Final = "events"
KEY: Final = "bench-key"
"""Its rows have no column for a Kafka key: it travels as a header."""
BATCH: Final = 1_000
"""Rows of a claim. Deletes go in hundreds. Its defaults are 10 and 1, and much slower."""
POLL: Final = 0.02


async def fill(url: str, records: Sequence[Record]) -> None:
    """Its table with these rows alone, as its `publish` would have written them."""
    engine = _engine(url)
    table = _table()
    async with engine.begin() as connection:
        await connection.run_sync(table.metadata.create_all)
    await engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"truncate {TABLE}")
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(f"copy {TABLE} (queue, payload, headers) from stdin") as copy,
        ):
            for record in records:
                headers = {**record.header_texts(), KEY: record.key.decode()}
                copy.write_row((QUEUE, record.value, json.dumps(headers)))
        connection.execute(f"vacuum analyze {TABLE}")


async def drain(
    url: str, kafka: KafkaSettings, producer_options: dict[str, Any], limit: float, *, topic: str, workers: int
) -> float:
    """Rows per second that it published and deleted, until there were none or time was up.

    Only one worker keeps the order of a key: several take rows of one key at the same time.
    """
    outbox = peer("faststream_outbox")
    engine = _engine(url)
    broker = outbox.OutboxBroker(engine, outbox_table=_table(), apply_types=False, decoder=_as_it_is, logger=None)
    producer = AIOKafkaProducer(**kafka.client_options(), **producer_options)
    await producer.start()
    due, handled, done = _rows(url), 0, asyncio.Event()

    async def relay(message: Any) -> None:
        nonlocal handled
        headers = [(name, value.encode()) for name, value in message.headers.items() if name != KEY]
        await producer.send_and_wait(topic, message.body, key=message.headers[KEY].encode(), headers=headers)
        handled += 1
        if handled >= due:
            done.set()

    subscribed = broker.subscriber(
        QUEUE,
        max_workers=workers,
        fetch_batch_size=BATCH,
        terminal_flush_batch_size=100,
        min_fetch_interval=POLL,
        max_fetch_interval=1.0,
    )
    subscribed(relay)

    try:
        began = time.perf_counter()
        await broker.start()
        try:
            async with asyncio.timeout(limit):
                await done.wait()
        except TimeoutError:
            done.set()  # as far as it came
        finally:
            await broker.stop()  # what is under way is published and deleted
        took = time.perf_counter() - began
        return (due - _rows(url)) / took
    finally:
        await producer.stop()
        await engine.dispose()


async def _as_it_is(message: Any) -> Any:
    """Neither decoded nor validated: a relay need not look into what it carries."""
    return message


def _rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from {TABLE}").fetchone()
        assert row is not None
        return int(row[0])


def _engine(url: str) -> Any:
    server = conninfo_to_dict(url)
    address = peer("sqlalchemy").URL.create(
        "postgresql+asyncpg",
        username=str(server["user"]),
        password=str(server.get("password", "")),
        host=str(server["host"]),
        port=int(server["port"] or 5432),
        database=str(server["dbname"]),
    )
    return peer("sqlalchemy.ext.asyncio").create_async_engine(address, pool_size=40)


def _table() -> Any:
    return peer("faststream_outbox").make_outbox_table(peer("sqlalchemy").MetaData(), table_name=TABLE)
