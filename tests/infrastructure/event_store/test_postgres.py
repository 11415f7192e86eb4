"""What the contract cannot say: several processes, lost connections, poison, round trips, plans."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from domain.messages import Appended, Claim, ClaimTaken, Outcome, Replayed, VersionMoved
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.errors import DatabaseUnavailable
from infrastructure.postgres.pool import APP, Pool, open_pool
from tests.contracts.event_store_contract import ORG, SKU, append, appended, event, key
from tests.support.round_trips import round_trips

PROCESSES = 4


@pytest.fixture
def store(app_pool: Pool) -> PostgresEventStore:
    return PostgresEventStore(app_pool)


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[list[PostgresEventStore]]:
    """As several processes have them: nothing in common but the database."""
    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(open_pool(database_url, role=APP, name=f"tests-{n}", max_size=2))
            for n in range(PROCESSES)
        ]
        yield [PostgresEventStore(pool) for pool in pools]


async def test_one_key_in_several_processes_is_answered_once(stores: list[PostgresEventStore]) -> None:
    for turn in range(15):
        outcomes = await asyncio.gather(
            *(each.append(ORG, append("product-1", turn, idempotency=key(f"key-{turn}"))) for each in stores)
        )
        (first,) = appended(outcomes)
        assert outcomes.count(Replayed(b"asked", key().response, turn + 1, first.position)) == PROCESSES - 1


async def test_processes_that_contend_for_streams_and_claims_lose_nothing(stores: list[PostgresEventStore]) -> None:
    turns = 12

    async def work(number: int, each: PostgresEventStore) -> list[Outcome]:
        found: list[Outcome] = []
        for turn in range(turns):
            streams = sorted((f"product-{n}" for n in range(6)), reverse=bool(number % 2))
            found += await asyncio.gather(*(each.append(ORG, append(stream, turn)) for stream in streams))
            found += [await each.append(ORG, append(f"stock-{number}-{turn}", claims=(Claim("sku", str(turn)),)))]
            found += await each.append_many(ORG, [append(stream, turn) for stream in streams])
        return found

    outcomes = [o for each in await asyncio.gather(*(work(n, s) for n, s in enumerate(stores))) for o in each]
    streams = await stores[0].read_streams(ORG, [f"product-{n}" for n in range(6)])
    stored = sum(len(events) for events in streams.values())
    for events in streams.values():
        assert [found.version for found in events] == list(range(1, len(events) + 1))
        assert [found.position for found in events] == sorted(found.position for found in events)
    assert stored + turns == len(appended(outcomes))
    assert sum(isinstance(outcome, ClaimTaken) for outcome in outcomes) == turns * (PROCESSES - 1)
    assert all(isinstance(outcome, Appended | ClaimTaken | VersionMoved) for outcome in outcomes)


async def test_every_event_is_in_the_outbox_under_its_shard(store: PostgresEventStore, worker_pool: Pool) -> None:
    await store.append(ORG, append("product-1", events=2))
    await store.append_many(ORG, [append("product-2"), append("product-1"), append("product-3", events=3)])
    async with worker_pool.connection() as connection:
        cursor = await connection.execute(
            "select e.stream_id, o.shard from events e full join outbox o using (position) order by position"
        )
        rows = await cursor.fetchall()
    shards = {"product-1": 55, "product-2": 13, "product-3": 27}
    assert rows == [(s, shards[s]) for s in ["product-1"] * 2 + ["product-2"] + ["product-3"] * 3]


async def test_one_append_is_one_round_trip_and_so_are_a_group_and_a_read(database_url: str, tmp_path: Path) -> None:
    async with open_pool(database_url, role=APP, name="tests", max_size=1) as pool:
        store = PostgresEventStore(pool)
        await store.append(ORG, append("product-0"))  # prepares the statement
        assert await round_trips(pool, tmp_path, store.append(ORG, append("product-1"))) == 1
        group = [append(f"product-{number}", claims=(Claim("sku", str(number)),)) for number in range(2, 12)]
        assert await round_trips(pool, tmp_path, store._send(ORG, group)) == 1
        assert await round_trips(pool, tmp_path, store.read_stream(ORG, "product-1")) == 1


async def test_a_command_that_the_database_refuses_fails_alone(store: PostgresEventStore) -> None:
    blocking = asyncio.create_task(store.append(ORG, append("product-first")))
    await asyncio.sleep(0)
    results = await asyncio.gather(
        store.append(ORG, append("product-1")),
        store.append(ORG, append("product-2", new=(event(data=b"{no json"),))),
        store.append(ORG, append("product-3\0")),
        store.append(ORG, append("product-4")),
        return_exceptions=True,
    )
    await blocking
    assert [type(result) for result in results] == [
        Appended,
        psycopg.errors.InvalidTextRepresentation,
        psycopg.errors.CharacterNotInRepertoire,
        Appended,
    ]
    assert await store.streams_of(ORG, "product") == ["product-1", "product-4", "product-first"]


async def test_when_the_server_ends_the_connection_each_rider_learns_it_and_the_next_append_works(
    database_url: str, store: PostgresEventStore, app_pool: Pool
) -> None:
    await store.append(ORG, append())
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        # A lock on the stream holds the statement, so that it can be ended in its middle.
        await blocker.execute("select from streams where stream_id = 'product-1' for update")
        riders = [asyncio.create_task(store.append(ORG, append("product-1", 1)))]
        await _until_blocked(database_url)
        riders.append(asyncio.create_task(store.append(ORG, append("product-2"))))
        await blocker.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and wait_event_type = 'Lock'"
        )
        with pytest.raises(DatabaseUnavailable) as failure:
            await riders[0]
        assert isinstance(failure.value.__cause__, psycopg.Error)
    assert isinstance(await riders[1], Appended)
    assert isinstance(await store.append(ORG, append("product-1", 1)), Appended)


async def test_a_caller_that_gives_up_does_not_stop_the_statement(database_url: str, store: PostgresEventStore) -> None:
    await store.append(ORG, append())
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        await blocker.execute("select from streams where stream_id = 'product-1' for update")
        leaving = asyncio.create_task(store.append(ORG, append("product-1", 1)))
        await _until_blocked(database_url)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert isinstance(await store.append(ORG, append("product-2")), Appended)
    assert len(await store.read_stream(ORG, "product-1")) == 2


async def test_a_claim_released_and_taken_by_two_processes_at_once_is_owned_by_one(
    stores: list[PostgresEventStore],
) -> None:
    first, second, *_ = stores
    await first.append(ORG, append("product-1", claims=(SKU,)))
    for turn in range(20):
        _, taken = await asyncio.gather(
            first.append(ORG, append("product-1", turn + 1, releases=(SKU,))),
            second.append(ORG, append(f"stock-{turn}", claims=(SKU,))),
        )
        owner = (await first.owner_of(ORG, [SKU])).get(SKU)
        assert owner == (f"stock-{turn}" if isinstance(taken, Appended) else None)
        if owner is not None:
            await second.append(ORG, append(owner, 1, releases=(SKU,)))
        await first.append_many(ORG, [append(f"listing-{turn}", claims=(SKU,))])
        await first.append(ORG, append(f"listing-{turn}", 1, releases=(SKU,)))


async def test_a_claim_released_between_two_looks_is_asked_for_again(
    database_url: str, store: PostgresEventStore, worker_pool: Pool
) -> None:
    await store.append(ORG, append("product-1", claims=(SKU,)))
    async with await psycopg.AsyncConnection.connect(database_url) as blocker:
        # The first look sees the claim, and is held until it is released; the second finds none.
        await blocker.execute(
            "create function look() returns boolean language plpgsql as "
            "$$ begin perform pg_advisory_xact_lock(1); return true; end $$"
        )
        await blocker.execute("create policy held on claims as restrictive for select to syncstore_app using (look())")
        await blocker.commit()
        await blocker.execute("select pg_advisory_lock(1)")
        taking = asyncio.create_task(store.append(ORG, append("product-2", claims=(SKU,))))
        await _until_blocked(database_url)
        async with worker_pool.connection() as releasing:
            await releasing.execute("delete from claims")
    assert isinstance(await taking, Appended)
    assert await store.owner_of(ORG, [SKU]) == {SKU: "product-2"}


async def _until_blocked(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking, asyncio.timeout(10):
        while True:
            cursor = await looking.execute(
                "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            if cursor.rowcount:
                return
            await asyncio.sleep(0.01)
