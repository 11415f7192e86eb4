"""Where benchmarks of views run: a local stack of their own, a migrated database, a large catalogue."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from domain.messages import RecordedEvent
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import create_or_check
from infrastructure.local_stack.stack import LocalStack
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from projections.fill import Source

JARS = Path(__file__).parents[2] / ".local" / "jars"

# Ten events a product at most: created with all fields, renamed, tagged, described, then six prices.
LOAD = """
insert into events
    (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor, correlation_id)
select 'toko', 'product-' || id, v, id, gen_random_uuid(),
    case v when 1 then 'product.created' when 2 then 'product.renamed' when 3 then 'product.tagged'
        when 4 then 'product.described' else 'product.base-price-changed' end,
    1,
    case v
        when 1 then json_build_object(
            'product_id', id, 'sku', 'SKU-' || n, 'name', 'Kemeja Batik ' || n, 'base_price', 195000,
            'cost_price', 100000, 'category', 'Fashion Pria', 'tags', json_build_array('batik', 'pria'),
            'description', 'Kemeja batik tulis dari Solo, bahan katun halus, nyaman dipakai seharian.',
            'images', json_build_array(json_build_object('url', 'https://gambar.example/1.jpg', 'primary', true)),
            'variants', json_build_array(json_build_object(
                'sku', 'SKU-' || n || '-L',
                'options', json_build_array(json_build_object('name', 'Ukuran', 'value', 'L')))))
        when 2 then json_build_object('old', 'Kemeja', 'new', 'Kemeja Batik Pria Lengan Panjang ' || n)
        when 3 then json_build_object('old', json_build_array('batik'), 'new', json_build_array('batik', 'solo'))
        when 4 then json_build_object(
            'old', json_build_object(), 'new', json_build_object('description', 'Bahan katun ' || n))
        else json_build_object('old', 1000 * v, 'new', 1000 * (v + 1))
    end,
    now() + v * interval '1 minute', 'user:rina', gen_random_uuid()
from generate_series(1, %(events)s) v,
    (select n, md5(n::text)::uuid::text as id from generate_series(%(first)s::integer, %(last)s::integer) n) p
order by v, n
"""

STREAMS = """
insert into streams select 'toko', 'product-' || md5(n::text)::uuid, %(events)s
from generate_series(%(first)s::integer, %(last)s::integer) n
"""
AT_ONCE = 100_000
"""Products, so that not all their events have to be sorted together."""

READ = """
select position, org_id, stream_id, version, partition_key, event_id, type, schema,
    convert_to(data::text, 'UTF8') as data, occurred_at, recorded_at, actor, correlation_id
from events where position > %(after)s order by position
"""


@asynccontextmanager
async def ground() -> AsyncIterator[tuple[Source, Pool, KafkaSettings]]:
    folder = Path(tempfile.mkdtemp(prefix="syncstore-bench-"))
    stack = LocalStack(folder, durable=False, jars=JARS)
    try:
        address = stack.up()
        await migrate(address.database_url)
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with open_pool(address.database_url, role=WORKER, name="bench", max_size=8) as pool:
            yield Source(address.database_url, WORKER), pool, kafka
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def load_products(url: str, products: int, *, events: int = 10, first: int = 1) -> int:
    """Fill the event store as if the products had been written; answers the number of events.

    Product n has the SKU SKU-n, and the MD5 sum of n as its id.
    """
    stored = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for start in range(first, first + products, AT_ONCE):
            some = {"first": start, "last": min(start + AT_ONCE, first + products) - 1, "events": events}
            stored += connection.execute(LOAD, some).rowcount
            connection.execute(STREAMS, some)
        connection.execute("vacuum analyze events, streams")
    return stored


def recorded(url: str, *, after: int = 0) -> list[RecordedEvent]:
    """What is in the event store behind that position, in order."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return [RecordedEvent(**row) for row in connection.execute(READ, {"after": after})]


async def last_position(pool: Pool) -> int:
    """0 where there is no event."""
    async with pool.connection() as connection:
        row = await (await connection.execute("select coalesce(max(position), 0) from events")).fetchone()
    assert row is not None
    return int(row[0])
