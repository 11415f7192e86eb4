"""What is old is deleted, and nothing else."""

from __future__ import annotations

import asyncio

from infrastructure.postgres.pool import Pool
from infrastructure.retention.retention import TABLES, forget, run_retention

ROWS = {
    "idempotency_keys": """
        insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events, created_at)
        values ('toko', %(name)s, '', '', 'product-1', 1, 1, now() - make_interval(days => %(age)s))""",
    "command_answers": """
        insert into command_answers (org_id, key, fingerprint, answer, created_at)
        values ('toko', %(name)s, '', '', now() - make_interval(days => %(age)s))""",
    "jobs": """
        with job as (
            insert into jobs (org_id, id, kind, state, actor, correlation_id, idempotency_key, parameters, total,
                created_at, finished_at)
            values ('toko', gen_random_uuid(), 'import', 'finished', 'user', gen_random_uuid(), %(name)s, '{}', 1,
                now() - interval '30 days', now() - make_interval(days => %(age)s))
            returning id
        )
        insert into job_items (org_id, job_id, number, request) select 'toko', id, 0, '{}' from job""",
    "shop_inbox": """
        insert into shop_inbox (org_id, connection_id, dedupe_key, body, received_at, handled_at)
        values ('toko', 'SHP', %(name)s, '', now() - interval '30 days', now() - make_interval(days => %(age)s))""",
    "relay_members": """
        insert into relay_members (owner, seen_at) values (%(name)s, now() - make_interval(days => %(age)s))""",
}


async def fill(pool: Pool) -> None:
    async with pool.connection() as connection:
        for statement in ROWS.values():
            for name, age in (("old-1", 8), ("old-2", 9), ("old-3", 400), ("young", 6)):
                await connection.execute(statement, {"name": name, "age": age})
        await connection.execute(
            "insert into shop_inbox (org_id, connection_id, dedupe_key, body, received_at) "
            "values ('toko', 'SHP', 'waiting', '', now() - interval '99 days')"
        )
        await connection.execute(
            "insert into jobs (org_id, id, kind, actor, correlation_id, parameters, total, created_at) "
            "values ('toko', gen_random_uuid(), 'import', 'user', gen_random_uuid(), '{}', 1, now() - interval '9d')"
        )


async def left(pool: Pool, table: str) -> int:
    async with pool.connection() as connection:
        cursor = await connection.execute(f"select count(*) from {table}")
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


async def test_old_rows_are_deleted_portion_by_portion_and_young_or_open_ones_stay(worker_pool: Pool) -> None:
    await fill(worker_pool)
    gone = await forget(worker_pool, days=7, portion=2)
    assert gone == dict.fromkeys(TABLES, 3)
    assert await forget(worker_pool, days=7) == {}
    open_ones = {"shop_inbox": 1, "jobs": 1}
    assert {table: await left(worker_pool, table) for table in TABLES} == {
        table: 1 + open_ones.get(table, 0) for table in TABLES
    }
    assert await left(worker_pool, "job_items") == 1


async def test_it_runs_until_it_is_stopped(worker_pool: Pool) -> None:
    await fill(worker_pool)
    stop = asyncio.Event()
    async with asyncio.timeout(20):
        running = asyncio.create_task(run_retention(worker_pool, stop, days=7))
        while await left(worker_pool, "relay_members") > 1:
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert await left(worker_pool, "relay_members") == 1
