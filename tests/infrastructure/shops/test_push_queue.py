from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from infrastructure.postgres.pool import Pool
from infrastructure.shops import push_queue
from infrastructure.shops.push_queue import Due, Urgency, Wanted

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def wanted(listing: str, urgency: Urgency = Urgency.PRICE, since: datetime = NOON) -> Wanted:
    return Wanted(
        listing_id=listing,
        org_id="toko",
        connection_id="SHP",
        product_id="p",
        urgency=urgency,
        due_at=since,
        since=since,
        correlation_id=UUID(int=1),
        causation_id=UUID(int=2),
    )


async def queue(pool: Pool, *rows: Wanted) -> None:
    async with pool.connection() as connection:
        for row in rows:
            await push_queue.enqueue(connection, [row])


async def due(pool: Pool, now: datetime = NOON, limit: int = 10, under_way: tuple[str, ...] = ()) -> list[Due]:
    async with pool.connection() as connection:
        return await push_queue.due(
            connection, org_id="toko", connection_id="SHP", now=now, under_way=under_way, limit=limit
        )


async def test_what_could_be_oversold_goes_first(worker_pool: Pool) -> None:
    await queue(
        worker_pool,
        wanted("new", Urgency.NEW_LISTING),
        wanted("text", Urgency.CONTENT),
        wanted("price"),
        wanted("empty", Urgency.STOP_SALE),
        wanted("stock", Urgency.STOCK),
    )
    assert [item.listing_id for item in await due(worker_pool)] == ["empty", "stock", "price", "text", "new"]


async def test_several_reasons_make_one_row_as_urgent_as_the_most_urgent_and_as_old_as_the_oldest(
    worker_pool: Pool,
) -> None:
    later = NOON + timedelta(seconds=5)
    await queue(worker_pool, wanted("a"), wanted("a", Urgency.STOP_SALE, later), wanted("a", Urgency.CONTENT, later))
    (item,) = await due(worker_pool, later)
    assert (item.urgency, item.since, item.revision) == (Urgency.STOP_SALE, NOON, 3)


async def test_what_is_under_way_is_not_handed_out_again(worker_pool: Pool) -> None:
    await queue(worker_pool, wanted("a"), wanted("b"))
    assert [item.listing_id for item in await due(worker_pool, under_way=("a",))] == ["b"]


async def test_a_reason_that_came_during_the_push_keeps_the_row(worker_pool: Pool) -> None:
    await queue(worker_pool, wanted("a"))
    (before,) = await due(worker_pool)
    await queue(worker_pool, wanted("a"))
    async with worker_pool.connection() as connection:
        assert not await push_queue.done(connection, before)
    (after,) = await due(worker_pool)
    async with worker_pool.connection() as connection:
        assert await push_queue.done(connection, after)
    assert await due(worker_pool) == []


async def test_a_postponed_row_is_due_at_its_time_or_at_a_new_reason(worker_pool: Pool) -> None:
    await queue(worker_pool, wanted("a"))
    (item,) = await due(worker_pool)
    later = NOON + timedelta(minutes=1)
    async with worker_pool.connection() as connection:
        await push_queue.postpone(connection, item, until=later, attempts=2)
        assert await push_queue.next_due(connection, org_id="toko", connection_id="SHP", under_way=()) == later
    assert await due(worker_pool) == []
    assert [one.attempts for one in await due(worker_pool, later)] == [2]
    await queue(worker_pool, wanted("a"))
    assert [one.attempts for one in await due(worker_pool)] == [0]
