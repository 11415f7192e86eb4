"""The rows that Debezium's event router reads: the table that it expects, and how it is filled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from tests.benchmarks.peers.records import Record

TABLE: Final = "debezium_outbox"
MADE: Final = "debezium_made"
"""Rows that are ready to be inserted; not logged, so no slot sees it."""
HEADERS: Final = (
    "content-type",
    "ce_specversion",
    "ce_type",
    "ce_dataschema",
    "ce_source",
    "ce_org",
    "ce_actor",
    "ce_id",
    "ce_subject",
    "ce_sequence",
    "ce_position",
    "ce_time",
    "ce_recordedtime",
    "ce_correlationid",
    "ce_causationid",
)
"""What our records carry beside their key: a column each, which the router puts into a header."""
COLUMNS: Final = ", ".join(["id", "aggregatetype", "aggregateid", "type", "payload", *(f'"{one}"' for one in HEADERS)])
TYPES: Final = ", ".join(
    [
        "id uuid primary key",
        "aggregatetype text not null",
        "aggregateid text not null",
        "type text not null",
        "payload text not null",
        *(f'"{one}" text' for one in HEADERS),
    ]
)
MOVE: Final = f"""
insert into {TABLE} ({COLUMNS}) select {COLUMNS} from {MADE} where number >= %s and number < %s order by number
"""
STORE: Final = f"""
insert into {TABLE} ({COLUMNS})
select %(id)s, 'product', %(key)s, 'product.described', %(data)s, 'application/json', '1.0', 'product.described',
    'urn:syncstore:product.described:1', '/syncstore/toko-batik', 'toko-batik', 'user:rina', %(id)s::text,
    'product-' || %(key)s, '1', '1', now()::text, now()::text, %(id)s::text, null
"""
"""One row with the key and payload that are given."""
TRANSACTION: Final = 1_000
"""Rows of one, when a backlog is made."""


def create(url: str) -> None:
    """The table as the router expects it, empty."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"drop table if exists {TABLE}")
        connection.execute(f"create table {TABLE} ({TYPES})")


def make_ready(url: str, records: Sequence[Record]) -> None:
    """Rows for `insert`."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {MADE}")
        cursor.execute(f"create unlogged table {MADE} (number bigint, {TYPES})")
        with cursor.copy(f"copy {MADE} (number, {COLUMNS}) from stdin") as copy:
            for number, record in enumerate(records):
                given = record.header_texts()
                outbox = [given["ce_id"], "product", record.key.decode(), given["ce_type"], record.value.decode()]
                copy.write_row([number, *outbox, *(given.get(header) for header in HEADERS)])
        cursor.execute(f"create index on {MADE} (number)")
        cursor.execute(f"analyze {MADE}")


def insert(url: str, rows: int) -> None:
    """Those that are ready, a thousand to a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for low in range(0, rows, TRANSACTION):
            connection.execute(MOVE, [low, low + TRANSACTION])
