"""What a relay reads, and what it may delete and set aside only while the shards are its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from infrastructure.outbox import operations
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox, Pending, Refused
from infrastructure.outbox.shards import SHARDS, shard_of
from infrastructure.postgres.pool import Pool
from tests.support.backlog import Fact, rounds, store

EVERY = range(SHARDS)
KEYS = [f"p{number}" for number in range(20)]


@pytest.fixture(autouse=True)
async def deadline() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


class Bench:
    """An outbox with an owner of all its shards."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.outbox = Outbox(pool, "mine")
        self.terms: dict[int, int] = {}

    async def store(self, *facts: Fact) -> list[int]:
        async with self.pool.connection() as connection:
            return await store(connection, facts)

    async def pending(self, **how: Any) -> list[Pending]:
        asked: dict[str, Any] = {"low": 0, "passed": {}, "shards": EVERY, "under_way": (), "limit": 1_000, **how}
        return await self.outbox.pending(**asked)

    async def left(self) -> list[int]:
        return [row.position for row in await self.pending()]

    async def rows(self, statement: str) -> list[Any]:
        async with self.pool.connection() as connection:
            return await (await connection.execute(statement)).fetchall()


@pytest.fixture
async def bench(worker_pool: Pool) -> Bench:
    bench = Bench(worker_pool)
    bench.terms = await Leases(worker_pool, "mine").claim(SHARDS)
    return bench


async def test_pending_rows_come_by_position_whatever_their_shard(bench: Bench) -> None:
    positions = await bench.store(*rounds(KEYS, range(1, 4)))

    found = await bench.pending()
    assert [row.position for row in found] == positions == sorted(positions)
    assert [row.partition_key.decode() for row in found] == KEYS * 3
    assert {row.shard for row in found} == {shard_of(key) for key in KEYS}


async def test_data_are_the_bytes_that_were_stored(bench: Bench, database_url: str) -> None:
    await bench.store(Fact("p1", 1))
    data = '{ "harga" : 1.50,"nama":"Kopi \\u00e9 é",  "harga":2}'
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute(
            "update events set data = %s, occurred_at = '2026-03-01 17:00:00.000001+07', batch_id = correlation_id",
            (data,),
        )

    (row,) = await bench.pending()
    assert row.data == data.encode()
    assert row.occurred_at == b'"2026-03-01T10:00:00.000001+00:00"'
    assert row.batch_id == row.correlation_id
    assert row.causation_id is None
    assert (row.stream_id, row.version, row.type, row.org_id) == (b"product-p1", 1, b"product.renamed", b"toko-batik")


async def test_only_rows_of_the_given_shards_come(bench: Bench) -> None:
    await bench.store(*rounds(KEYS, [1]))

    mine = {shard_of(key) for key in KEYS[:5]}
    found = await bench.pending(shards=mine)
    assert [row.partition_key.decode() for row in found] == [key for key in KEYS if shard_of(key) in mine]
    assert await bench.pending(shards=()) == []


async def test_rows_below_the_mark_and_rows_under_way_do_not_come(bench: Bench) -> None:
    positions = await bench.store(*rounds(KEYS, range(1, 12)))

    found = await bench.pending(low=positions[9], under_way=positions[10:130])
    assert [row.position for row in found] == positions[130:]
    assert [row.position for row in await bench.pending(limit=3)] == positions[:3]


async def test_a_row_that_is_committed_late_at_a_lower_position_comes_first(bench: Bench, database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as slow:
        early = await store(slow, [Fact("p1", 1)])
        late = await bench.store(Fact("p2", 1))
        assert await bench.left() == late
        await slow.commit()

    assert early < late
    assert await bench.left() == early + late


async def test_what_was_acknowledged_is_deleted_and_nothing_else(bench: Bench) -> None:
    positions = await bench.store(*rounds(KEYS, [1, 2]))
    rows = await bench.pending()

    assert await bench.outbox.delete(rows[::2], bench.terms) == len(KEYS)
    assert await bench.left() == positions[1::2]
    assert await bench.outbox.delete(rows[::2], bench.terms) == 0


async def test_nothing_is_deleted_under_a_term_that_is_over(bench: Bench) -> None:
    positions = await bench.store(*rounds(KEYS, [1]))
    rows = await bench.pending()
    over = {shard: term - 1 for shard, term in bench.terms.items()}

    assert await bench.outbox.delete(rows, over) == 0
    assert await bench.outbox.delete(rows, {}) == 0
    assert await bench.left() == positions


async def test_nothing_is_deleted_by_another_owner_even_under_the_right_term(bench: Bench) -> None:
    positions = await bench.store(*rounds(KEYS, [1]))
    rows = await bench.pending()

    assert await Outbox(bench.pool, "other").delete(rows, bench.terms) == 0
    assert await bench.left() == positions


async def test_a_shard_that_was_lost_keeps_its_rows_while_the_others_lose_theirs(bench: Bench) -> None:
    await bench.store(*rounds(KEYS, [1]))
    lost = shard_of(KEYS[0])
    await Leases(bench.pool, "mine").release([lost])

    rows = await bench.pending()
    of_lost = [row.position for row in rows if row.shard == lost]
    assert await bench.outbox.delete(rows, bench.terms) == len(rows) - len(of_lost)
    assert await bench.left() == of_lost


async def refuse(bench: Bench, key: str = "p1", reason: str = "too large") -> None:
    """Park all that waits of a key; the first with the reason."""
    head, *followers = [row for row in await bench.pending() if row.partition_key == key.encode()]
    refused = [Refused(head, reason), *(Refused(row, None) for row in followers)]
    assert await bench.outbox.park(refused, bench.terms) == len(refused)


async def test_parking_takes_a_refused_event_and_its_followers_out_of_the_outbox(bench: Bench) -> None:
    positions = await bench.store(*rounds(["p1", "p2"], [1, 2, 3]))
    await refuse(bench)

    assert await bench.left() == positions[1::2]
    (key,) = await operations.parked(bench.pool)
    assert (key.key, key.reason, key.events, key.first_position) == ("p1", "too large", 3, positions[0])


async def test_rows_of_a_parked_key_are_read_as_such_until_it_is_released(bench: Bench) -> None:
    await bench.store(*rounds(["p1", "p2"], [1]))
    await refuse(bench)
    await bench.store(*rounds(["p1", "p2"], [2]))

    assert [(row.partition_key, row.is_parked) for row in await bench.pending()] == [
        (b"p2", False),
        (b"p1", True),
        (b"p2", False),
    ]
    await operations.release(bench.pool, "p1")
    assert not any(row.is_parked for row in await bench.pending())


async def test_nothing_is_parked_under_a_term_that_is_over(bench: Bench) -> None:
    positions = await bench.store(Fact("p1", 1))
    refused = [Refused(row, "too large") for row in await bench.pending()]

    assert await bench.outbox.park(refused, {shard: term - 1 for shard, term in bench.terms.items()}) == 0
    assert await Outbox(bench.pool, "other").park(refused, bench.terms) == 0
    assert await bench.left() == positions
    assert await operations.parked(bench.pool) == []


async def test_a_follower_stays_when_its_key_was_released_meanwhile(bench: Bench) -> None:
    await bench.store(Fact("p1", 1))
    await refuse(bench)
    (follower,) = await bench.store(Fact("p1", 2))
    (row,) = await bench.pending()
    assert row.is_parked
    await operations.release(bench.pool, "p1")

    assert await bench.outbox.park([Refused(row, None)], bench.terms) == 0
    assert follower in await bench.left()


async def test_released_events_return_in_order_and_relays_are_told_to_look_again(bench: Bench) -> None:
    positions = await bench.store(*rounds(["p1", "p2"], [1, 2, 3]))
    before = (await bench.outbox.horizon(ttl=10)).rewinds
    await refuse(bench)

    assert await operations.release(bench.pool, "p1") == 3
    found = await bench.pending()
    assert [row.position for row in found] == positions
    assert {row.shard for row in found if row.partition_key == b"p1"} == {shard_of("p1")}
    assert (await bench.outbox.horizon(ttl=10)).rewinds == before + 1 == found[0].rewinds
    assert await operations.parked(bench.pool) == []


async def test_a_dropped_event_is_kept_with_who_and_why_and_its_followers_go_on(bench: Bench) -> None:
    positions = await bench.store(*rounds(["p1"], [1, 2, 3]))
    await refuse(bench)

    assert await operations.drop(bench.pool, "p1", reason="picture pasted into a name", by="user:sari") == 2
    assert await bench.left() == positions[1:]
    assert await bench.rows("select position, partition_key, refused_for, reason, dropped_by from outbox_dropped") == [
        (positions[0], "p1", "too large", "picture pasted into a name", "user:sari")
    ]
    assert await bench.rows("select count(*) from events") == [(3,)]


async def test_a_key_that_does_not_wait_is_neither_released_nor_dropped(bench: Bench) -> None:
    with pytest.raises(operations.NothingParked, match="'p1'"):
        await operations.release(bench.pool, "p1")
    with pytest.raises(operations.NothingParked, match="syncstore relay parked"):
        await operations.drop(bench.pool, "p1", reason="-", by="-")


async def test_statistics_tell_depth_age_and_what_is_parked(bench: Bench, database_url: str) -> None:
    assert await operations.statistics(bench.pool) == operations.Statistics(0, 0.0, 0)
    await bench.store(*rounds(["p1", "p2"], [1, 2]))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute("update events set recorded_at = now() - interval '1 hour' where partition_key = 'p2'")
    await refuse(bench)

    found = await operations.statistics(bench.pool)
    assert (found.depth, found.parked) == (2, 2)
    assert 3_600 <= found.oldest_age_seconds < 3_660


async def test_the_horizon_names_appenders_until_they_have_committed(bench: Bench, database_url: str) -> None:
    await Leases(bench.pool, "mine").renew(bench.terms)
    async with await psycopg.AsyncConnection.connect(database_url) as slow:
        (drawn,) = await store(slow, [Fact("p1", 1)])
        seen = await bench.outbox.horizon(ttl=10)
        assert (seen.given_out, len(seen.appenders)) == (drawn, 1)
        assert (seen.relays, seen.free_shards) == (1, 0)
        await slow.commit()
    await Leases(bench.pool, "mine").release([1, 2])

    seen = await bench.outbox.horizon(ttl=10)
    assert (seen.given_out, seen.appenders, seen.free_shards) == (drawn, {}, 2)
