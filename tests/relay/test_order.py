"""Nothing is lost and nothing of a key is reordered: several relays, late commits, open transactions."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from psycopg import AsyncConnection

from tests.relay.world import World, until

KEYS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(120)]
VERSIONS = list(range(1, 11))


async def write(world: World, keys: list[str]) -> None:
    for version in VERSIONS:
        for key in keys:
            await world.store(key, version)


@pytest.mark.parametrize("relays", [1, 2, 3])
async def test_relays_that_come_one_by_one_publish_each_event_once_and_in_order(world: World, relays: int) -> None:
    writing = [asyncio.create_task(write(world, KEYS[part::4])) for part in range(4)]
    async with AsyncExitStack() as running:
        for number in range(relays):
            await running.enter_async_context(world.relaying(f"relay-{number}"))
            await asyncio.wait(writing, timeout=0.3)
        await asyncio.gather(*writing)
        await until(world.is_empty)

    assert await world.versions() == dict.fromkeys(KEYS, VERSIONS)


async def test_shards_are_shared_fairly_and_handed_over_at_once(world: World, database_url: str) -> None:
    async def shares() -> list[int]:
        async with world.pool.connection() as connection:
            cursor = await connection.execute(
                "select count(*) from relay_leases where owner is not null group by owner order by 1"
            )
            return [row[0] for row in await cursor.fetchall()]

    async def are(expected: list[int]) -> None:
        async def held() -> bool:
            return await shares() == expected

        await until(held)

    async with world.relaying("one"):
        await are([64])
        async with world.relaying("two"):
            await are([32, 32])
            async with world.relaying("three"):
                await are([20, 22, 22])
        await are([64])
    assert await shares() == []


async def test_an_open_transaction_elsewhere_stalls_nothing_and_holds_no_mark_back(
    world: World, database_url: str
) -> None:
    async with (
        await AsyncConnection.connect(database_url) as elsewhere,
        world.by_hand() as relay,
    ):
        await elsewhere.execute("create table elsewhere as select pg_current_xact_id()::text")
        last = 0
        for version in VERSIONS:
            last = await world.store(KEYS[0], version)
        assert await relay.drain() == len(VERSIONS)
        relay.relay._looked_at = 0.0
        await relay.drain()
        relay.relay._looked_at = 0.0
        await relay.drain()
        assert relay.relay._mark.position >= last
        await elsewhere.rollback()


async def test_an_event_committed_late_comes_before_the_next_of_its_key(world: World, database_url: str) -> None:
    early, late = KEYS[0], KEYS[1]
    async with await AsyncConnection.connect(database_url) as slow, world.by_hand() as relay:
        await slow.execute("set role syncstore_worker")
        await world.store(late, 1, connection=slow)
        await world.store(early, 1)
        for _ in range(3):  # enough looks to move the mark, if it did not wait for the open append
            relay.relay._looked_at = 0.0
            await relay.one_pass()
        await slow.commit()
        await world.store(late, 2)
        assert await relay.drain() == 2

    assert await world.versions() == {early: [1], late: [1, 2]}


async def test_a_late_event_of_an_append_that_nobody_saw_is_found_by_the_sweep(world: World) -> None:
    async with world.by_hand() as relay:
        await world.store(KEYS[0], 1)
        await relay.drain()
        position = await world.store(KEYS[1], 1)
        relay.relay._mark.position = position + 100  # as after a restore that put numbers back
        assert await relay.one_pass() == 0
        relay.relay._swept_at = -100.0
        assert await relay.drain() == 1


async def test_a_backlog_of_several_batches_of_one_key_stays_in_order(world: World) -> None:
    for version in range(1, 31):
        await world.store(KEYS[0], version, size=60_000)
    async with world.by_hand(batch=20) as relay:
        assert await relay.drain() == 30

    assert await world.versions() == {KEYS[0]: list(range(1, 31))}
