"""One owner per shard at a time, under a term that only grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from infrastructure.outbox.leases import Leases
from infrastructure.outbox.shards import SHARDS, shard_of
from infrastructure.postgres.pool import Pool

ALL = set(range(SHARDS))


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


async def expire(pool: Pool, shards: Iterable[int] = ALL) -> None:
    """The time of a lease runs out, as its owner would not notice."""
    async with pool.connection() as connection:
        await connection.execute(
            "update relay_leases set expires_at = now() - interval '1 millisecond' where shard = any (%s)",
            (list(shards),),
        )


async def forget_members(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("update relay_members set seen_at = now() - interval '1 hour'")


def test_a_key_has_one_shard_whoever_computes_it() -> None:
    assert shard_of("123456789") == 0xCBF43926 % 64  # the check value of CRC-32
    assert {shard_of(str(number)) for number in range(2_000)} == ALL


async def test_a_shard_has_one_owner(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first"), Leases(worker_pool, "second")
    held = await first.claim(40)
    rest = await second.claim(SHARDS)

    assert len(held) == 40
    assert held.keys() | rest.keys() == ALL
    assert not held.keys() & rest.keys()
    assert await first.claim(SHARDS) == {}
    assert [(owner, shards) for owner, shards, _ in await first.owners()] == [("first", 40), ("second", 24)]


async def test_many_who_claim_at_once_never_get_the_same_shard(worker_pool: Pool) -> None:
    claimants = [Leases(worker_pool, f"relay-{number}") for number in range(8)]
    claimed = await asyncio.gather(*(one.claim(10) for one in claimants))

    shards = [shard for part in claimed for shard in part]
    assert len(shards) == len(set(shards))


async def test_renewing_keeps_the_term_and_prolongs_the_lease(worker_pool: Pool) -> None:
    leases = Leases(worker_pool, "first", ttl=10)
    held = await leases.claim(3)
    ((_, _, before),) = await leases.owners()
    kept, _ = await Leases(worker_pool, "first", ttl=60).renew(held)
    ((_, _, after),) = await leases.owners()

    assert kept == held
    assert after > before


async def test_only_what_is_asked_for_is_renewed(worker_pool: Pool) -> None:
    leases = Leases(worker_pool, "first")
    held = await leases.claim(SHARDS)

    assert (await leases.renew({3: held[3], 4: held[4]}))[0] == {3: held[3], 4: held[4]}
    assert (await leases.renew({}))[0] == {}


async def test_a_namesake_does_not_keep_what_the_other_has_taken_over(worker_pool: Pool) -> None:
    frozen, awake = Leases(worker_pool, "relay/1"), Leases(worker_pool, "relay/1")
    held = await frozen.claim(SHARDS)
    await expire(worker_pool)
    taken = await awake.claim(SHARDS)

    assert (await frozen.renew(held))[0] == {}
    assert (await awake.renew(taken))[0] == taken


async def test_what_has_expired_is_not_renewed_but_taken_over_under_a_new_term(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first"), Leases(worker_pool, "second")
    held = await first.claim(SHARDS)
    await expire(worker_pool, [5])

    kept, _ = await first.renew(held)
    taken = await second.claim(SHARDS)

    assert kept == {shard: term for shard, term in held.items() if shard != 5}
    assert taken == {5: held[5] + 1}


async def test_an_owner_whose_lease_was_taken_over_and_came_back_has_another_term(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first"), Leases(worker_pool, "second")
    held = await first.claim(SHARDS)
    await expire(worker_pool)
    await second.claim(SHARDS)
    assert (await first.renew(held))[0] == {}
    await expire(worker_pool)

    assert await first.claim(SHARDS) == {shard: term + 2 for shard, term in held.items()}


@pytest.mark.parametrize(("members", "share"), [(1, 64), (2, 32), (3, 22), (5, 13), (64, 1), (70, 1)])
async def test_a_share_is_fair_and_all_shares_cover_all_shards(worker_pool: Pool, members: int, share: int) -> None:
    relays = [Leases(worker_pool, f"relay-{number}") for number in range(members)]
    for relay in relays:
        await relay.renew({})
    shares = [(await relay.renew({}))[1] for relay in relays]

    assert shares == [share] * members
    assert sum(shares) >= SHARDS


async def test_members_that_were_not_seen_for_a_lease_do_not_count(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first"), Leases(worker_pool, "second")
    await first.renew({})
    assert (await second.renew({}))[1] == 32
    await forget_members(worker_pool)

    assert (await first.renew({}))[1] == 64


async def test_released_shards_are_free_at_once_and_a_member_that_left_does_not_count(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first", ttl=600), Leases(worker_pool, "second", ttl=600)
    await first.renew({})
    await second.renew({})
    held = await first.claim(SHARDS)
    await first.release(held)
    await first.leave()

    assert await second.claim(SHARDS) == {shard: term + 1 for shard, term in held.items()}
    assert (await second.renew({}))[1] == SHARDS


async def test_nobody_releases_what_another_owns(worker_pool: Pool) -> None:
    first, second = Leases(worker_pool, "first"), Leases(worker_pool, "second")
    held = await first.claim(SHARDS)
    await second.release(held)

    assert await second.claim(SHARDS) == {}
    assert (await first.renew(held))[0] == held
