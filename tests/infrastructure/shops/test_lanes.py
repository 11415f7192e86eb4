from __future__ import annotations

from datetime import UTC, datetime

from infrastructure.postgres.pool import Pool
from infrastructure.shops import lanes

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


async def two_lanes(pool: Pool) -> None:
    async with pool.connection() as connection:
        for name in ("A", "B"):
            await lanes.open_lane(connection, org_id="toko", connection_id=name, platform="shopee", shop_id=f"7{name}")


async def test_a_lane_has_one_owner_who_keeps_its_term_while_renewing(worker_pool: Pool) -> None:
    await two_lanes(worker_pool)
    async with worker_pool.connection() as connection:
        mine = await lanes.claim(connection, owner="one", limit=1)
        assert [lane.connection_id for lane in mine] == ["A"]
        theirs = await lanes.claim(connection, owner="two", limit=10)
        assert [lane.connection_id for lane in theirs] == ["B"]
        again = await lanes.claim(connection, owner="one", limit=10)
        assert [(lane.connection_id, lane.term) for lane in again] == [("A", mine[0].term)]


async def test_a_lane_given_back_is_taken_over_under_a_new_term_and_the_zombie_learns_nothing(
    worker_pool: Pool,
) -> None:
    await two_lanes(worker_pool)
    async with worker_pool.connection() as connection:
        zombie = {lane.connection_id: lane for lane in await lanes.claim(connection, owner="one", limit=10)}
        await lanes.release(connection, owner="one")
        heirs = {lane.connection_id: lane for lane in await lanes.claim(connection, owner="two", limit=10)}
        assert heirs["A"].term == zombie["A"].term + 1
        assert not await lanes.watched(connection, zombie["A"], owner="one", watched_until=NOON)
        assert await lanes.watched(connection, heirs["A"], owner="two", watched_until=NOON)
        again = {lane.connection_id: lane for lane in await lanes.claim(connection, owner="two", limit=10)}
        assert again["A"].watched_until == NOON


async def test_a_paused_lane_tells_until_when(worker_pool: Pool) -> None:
    await two_lanes(worker_pool)
    async with worker_pool.connection() as connection:
        await lanes.pause(connection, org_id="toko", connection_id="A", until=NOON, reason="quota")
        paused = {lane.connection_id: lane.paused_until for lane in await lanes.claim(connection, owner="one", limit=9)}
        assert paused == {"A": NOON, "B": None}


async def test_a_notification_finds_its_shop_also_for_the_application_role(worker_pool: Pool, app_pool: Pool) -> None:
    await two_lanes(worker_pool)
    async with app_pool.connection() as connection:
        assert await lanes.shop_of(connection, platform="shopee", shop_id="7B") == ("toko", "B")
        assert await lanes.shop_of(connection, platform="shopee", shop_id="8") is None
        cursor = await connection.execute("select count(*) from shop_lanes")
        assert await cursor.fetchone() == (0,)
