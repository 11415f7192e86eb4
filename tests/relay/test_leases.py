"""When a relay trusts the shards it holds, and how it comes to its share and gives up the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

import pytest

from infrastructure.outbox.leases import Leases
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import Pool
from relay.leases import MARGIN_SHARE, ShardHolder

TTL = 600.0
"""So long that the database's clock ends no lease; the relay's own is moved by hand."""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


def idle() -> Collection[int]:
    return ()


def holder(pool: Pool, clock: Clock, owner: str = "first") -> ShardHolder:
    return ShardHolder(Leases(pool, owner, ttl=TTL), clock)


async def settle(clock: Clock, *holders: ShardHolder) -> None:
    """Each renews often enough that all know of all."""
    for _ in range(4):
        clock.now += TTL / 4
        for one in holders:
            await one.maintain(idle)


async def test_the_only_relay_reads_every_shard(worker_pool: Pool, clock: Clock) -> None:
    only = holder(worker_pool, clock)
    assert await only.maintain(idle)
    assert only.readable.keys() == set(range(SHARDS))
    assert not await only.maintain(idle)


async def test_leases_that_may_have_run_out_are_not_read_from_before_they_are_renewed(
    worker_pool: Pool, clock: Clock
) -> None:
    only = holder(worker_pool, clock)
    await only.maintain(idle)
    assert only.patience == pytest.approx(TTL * (1 - MARGIN_SHARE))
    clock.now += TTL * (1 - MARGIN_SHARE)

    assert (only.readable, only.patience, only.trusted) == ({}, 0.0, False)
    assert await only.maintain(idle), "what was read before must be forgotten"
    assert len(only.readable) == SHARDS


@pytest.mark.parametrize(("members", "share"), [(2, 32), (3, 22)])
async def test_relays_come_to_fair_shares_of_all_shards(
    worker_pool: Pool, clock: Clock, members: int, share: int
) -> None:
    relays = [holder(worker_pool, clock, f"relay-{number}") for number in range(members)]
    await relays[0].maintain(idle)
    await settle(clock, *relays)

    assert sorted(shard for relay in relays for shard in relay.readable) == list(range(SHARDS))
    assert max(len(relay.readable) for relay in relays) == share


async def test_a_shard_is_handed_over_only_when_nothing_of_it_is_under_way(worker_pool: Pool, clock: Clock) -> None:
    old, new = holder(worker_pool, clock, "old"), holder(worker_pool, clock, "new")
    await old.maintain(idle)
    await new.maintain(idle)
    clock.now += TTL / 4
    await old.maintain(lambda: range(SHARDS))

    assert len(old.held) == SHARDS
    assert len(old.readable) == SHARDS // 2
    clock.now += TTL / 100
    await new.maintain(idle)
    assert new.held == {}
    await old.maintain(idle)
    clock.now += TTL / 100
    await new.maintain(idle)
    assert len(new.held) == SHARDS // 2
    assert not new.held.keys() & old.held.keys()


async def test_who_leaves_frees_its_shards_and_its_share_at_once(worker_pool: Pool, clock: Clock) -> None:
    leaving, staying = holder(worker_pool, clock, "leaving"), holder(worker_pool, clock, "staying")
    await settle(clock, leaving, staying)
    await leaving.leave()
    clock.now += 1
    await staying.maintain(idle, relays=1, free_shards=32)

    assert leaving.held == {}
    assert len(staying.readable) == SHARDS


async def test_who_wakes_up_without_its_shards_is_told_that_they_have_changed(worker_pool: Pool, clock: Clock) -> None:
    frozen, heir = holder(worker_pool, clock, "frozen"), Leases(worker_pool, "heir", ttl=TTL)
    await frozen.maintain(idle)
    async with worker_pool.connection() as connection:
        await connection.execute("update relay_leases set expires_at = now()")
    await heir.claim(SHARDS)
    clock.now += TTL

    assert await frozen.maintain(idle), "what was read before must be forgotten"
    assert frozen.readable == {}
