"""The relay of txoutbox over its own PostgreSQL table, in the order-preserving mode that it recommends."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaProducer

from infrastructure.kafka.client import KafkaSettings
from tests.benchmarks.peers.installed import peer
from tests.benchmarks.peers.records import Record

TABLE: Final = "txoutbox_rows"
BATCH: Final = 1_000
"""Rows of a claim, all published at once: far more than its defaults (50 rows, 10 at once), and faster."""


async def fill(url: str, records: Sequence[Record]) -> None:
    """Its table with these rows alone."""
    storage = await _storage(url)
    try:
        await storage.create_schema()
    finally:
        await storage.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"truncate {TABLE}")
        with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy(f"copy {TABLE} (topic, key, payload, headers) from stdin") as copy,
        ):
            for record in records:
                copy.write_row((record.topic, record.key.decode(), record.value, json.dumps(record.header_texts())))
        connection.execute(f"vacuum analyze {TABLE}")


async def drain(url: str, kafka: KafkaSettings, producer_options: dict[str, Any], limit: float) -> float:
    """Rows per second that it published and deleted, until there were none or time was up."""
    txoutbox = peer("txoutbox")
    storage = await _storage(url)
    producer = AIOKafkaProducer(**kafka.client_options(), **producer_options)
    await producer.start()

    async def publish(message: Any) -> None:
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        await producer.send_and_wait(message.topic, message.payload, key=message.key.encode(), headers=headers)

    config = txoutbox.RelayConfig(batch_size=BATCH, concurrency=BATCH, lease=timedelta(seconds=60))
    relay = txoutbox.Relay(storage, publish, config=config)
    try:
        published = 0
        began = time.perf_counter()
        while time.perf_counter() < began + limit:
            rows = await relay.run_once()
            if not rows.claimed:
                break
            assert rows.published == rows.claimed, rows
            published += rows.published
        return published / (time.perf_counter() - began)
    finally:
        await producer.stop()
        await storage.close()


async def _storage(url: str) -> Any:
    postgres = peer("txoutbox.adapters.postgres")
    return await postgres.PostgresStorage.connect(url, table=TABLE, delete_on_ack=True)
