"""A backlog for benchmarks of the relay: events of about 300 bytes, all headers set, ten to a product."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import WORKER, Pool, open_pool

BACKLOG: Final = """
with made as (
    insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id, causation_id, batch_id)
    select 'toko-batik', 'product-' || id, v, id, gen_random_uuid(), 'product.described', 1,
        json_build_object('old', json_build_object('description', 'Kemeja batik tulis dari Solo'),
            'new', json_build_object('description', repeat('Bahan katun halus, nyaman. ', 8) || n)),
        now(), 'user:rina', gen_random_uuid(), gen_random_uuid(), null
    from generate_series(1, 10) v,
        (select n, md5(%(salt)s || n)::uuid::text as id from generate_series(1, %(keys)s) n) p
    order by v, n
    returning position, partition_key
), numbered as (
    select position, partition_key, dense_rank() over (order by partition_key) %% 64 as shard from made
)
insert into outbox (position, shard) select position, shard from numbered order by position
"""


@asynccontextmanager
async def scratch_database(server: str) -> AsyncIterator[tuple[str, Pool]]:
    """A migrated database on that server, dropped in the end; its address and a pool of workers' connections."""
    name = f"bench_{uuid4().hex}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0")
        try:
            await migrate(url)
            async with open_pool(url, role=WORKER, name="relay-bench", max_size=8, by_index=True) as pool:
                yield url, pool
        finally:
            connection.execute(f"drop database {name} with (force)")


def fill(url: str, events: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(BACKLOG, {"keys": events // 10, "salt": uuid4().hex})
        connection.execute("vacuum analyze events, outbox")
