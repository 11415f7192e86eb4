"""Sequenced parking: a record that cannot be applied is set aside together with all later ones of its key, so that
nothing overtakes it; other keys go on. An operator releases a key (its records are applied in order) or drops records.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from domain.errors import SyncStoreError
from infrastructure.kafka import offsets
from infrastructure.kafka.effect import Effect
from infrastructure.kafka.records import Record, StoredRecord, Unreadable, event_of, key_of, storable
from infrastructure.postgres.arrays import texts
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load

_sql: Final = load(Path(__file__).with_suffix(".sql"))
AFTER_PARKED: Final = "waits behind an earlier record of its key"


class NotParked(SyncStoreError):
    """No record of this key is parked for this consumer."""


class StillRefused(SyncStoreError):
    """A parked key was to be released, but one of its records still cannot be applied; all of them stay parked."""


class ParkedKey(NamedTuple):
    consumer: str
    key: str
    records: int
    since: datetime
    first_id: int
    topic: str
    partition: int
    record_offset: int
    reason: str


async def parked_among(connection: AsyncConnection[Any], consumer: str, keys: Iterable[str]) -> set[str]:
    cursor = await connection.execute(_sql["parked_keys"], {"consumer": consumer, "keys": texts(list(keys))})
    return {key for (key,) in await cursor.fetchall()}


async def park(connection: AsyncConnection[Any], consumer: str, records: Sequence[tuple[Record, str]]) -> None:
    """Set records aside, each with the reason."""
    await connection.cursor().executemany(
        _sql["park"],
        [
            {
                "consumer": consumer,
                "key": key_of(record),
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "record_key": record.key,
                "record_value": record.value,
                "headers": Jsonb([_kept(name, value) for name, value in record.headers]),
                "reason": storable(reason),
            }
            for record, reason in records
        ],
    )


async def list_parked(pool: Pool, consumer: str | None = None, *, limit: int = 1000) -> list[ParkedKey]:
    """Parked keys of a consumer or of all, longest waiting first."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(ParkedKey)) as cursor:
        await cursor.execute(_sql["list"], {"consumer": consumer, "limit": limit})
        return await cursor.fetchall()


async def records_of(connection: AsyncConnection[Any], consumer: str, key: str) -> list[tuple[int, StoredRecord]]:
    """The parked records of a key in order, each as Kafka brought it, by the number it is parked under."""
    cursor = await connection.execute(_sql["records_of"], {"consumer": consumer, "key": key})
    return [(identity, _record(row)) for identity, *row in await cursor.fetchall()]


async def release(pool: Pool, effect: Effect, key: str) -> int:
    """Apply the parked records of a key in order; answers how many there were. Later records then flow again.

    Raises NotParked, StillRefused.
    """
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, effect.name, key)
        parked = await records_of(connection, effect.name, key)
        events = []
        for _, record in parked:
            event = event_of(record)
            if isinstance(event, Unreadable):
                raise StillRefused(
                    f"the record at {record.topic}/{record.partition}:{record.offset} cannot be read: {event.reason}. "
                    "Upgrade to a version that reads it, or drop it"
                )
            if event is not None:
                events.append(event)
        try:
            await effect.apply(connection, events)
        except Exception as error:
            raise StillRefused(
                f"{effect.name} still refuses the records of {key}: {type(error).__name__}: {error}"
            ) from error
        ids = [identity for identity, _ in parked]
        await connection.execute(_sql["remove"], {"consumer": effect.name, "ids": ids})
    return len(parked)


async def drop(pool: Pool, consumer: str, key: str, *, because: str, by: str, whole_key: bool = False) -> int:
    """Give up the first parked record of a key, or all of them; who did and why is kept. Answers how many.

    What stays parked waits to be released. Raises NotParked.
    """
    async with pool.connection() as connection, connection.transaction():
        await _hold(connection, consumer, key)
        cursor = await connection.execute(
            _sql["note_dropped"],
            {"consumer": consumer, "key": key, "because": because, "by": by, "whole_key": whole_key},
        )
        ids = [identity for (identity,) in await cursor.fetchall()]
        await connection.execute(_sql["remove"], {"consumer": consumer, "ids": ids})
    return len(ids)


async def count_parked(connection: AsyncConnection[Any], consumer: str) -> tuple[int, int]:
    """Keys and records that wait."""
    cursor = await connection.execute(_sql["count"], {"consumer": consumer})
    row = await cursor.fetchone()
    assert row is not None, "an aggregate always answers one row"
    return row[0], row[1]


async def _hold(connection: AsyncConnection[Any], consumer: str, key: str) -> None:
    """Keep the consumer from parking more of this key meanwhile: it moves its offsets before it looks who is parked."""
    cursor = await connection.execute(_sql["partitions_of"], {"consumer": consumer, "key": key})
    partitions = [number for (number,) in await cursor.fetchall()]
    if not partitions:
        raise NotParked(f"nothing of key {key!r} is parked for consumer {consumer!r}")
    await offsets.lock_offsets(connection, consumer, partitions)


def _record(row: Sequence[Any]) -> StoredRecord:
    topic, partition, offset, key, value, headers = row
    return StoredRecord(topic, partition, offset, key, value, [_header(*kept) for kept in headers])


def _kept(name: str, value: bytes | None) -> list[str | None]:
    """Name and base64 value as JSON; where PostgreSQL cannot keep the name as it is, that in base64 as well."""
    encoded = None if value is None else base64.b64encode(value).decode()
    shown = storable(name)
    return [shown, encoded] if shown == name else [shown, encoded, base64.b64encode(name.encode()).decode()]


def _header(shown: str, value: str | None, name: str | None = None) -> tuple[str, bytes | None]:
    return (
        shown if name is None else base64.b64decode(name).decode(),
        None if value is None else base64.b64decode(value),
    )
