"""No event is skipped however late its transaction commits: interleavings driven by hand."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection

from domain.messages import RecordedEvent
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.event_store.read_all import TokenRefused
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import WORKER, Pool, connection_arguments
from tests.contracts.event_store_contract import ORG, append

INSERT = (
    "insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor, "
    "correlation_id) values (%s, %s, %s, '1', gen_random_uuid(), 'x', 1, '{}', now(), 'x', gen_random_uuid())"
)
Connection = AsyncConnection[Any]


class Reader:
    """Reads on from its last token and notes what it has seen."""

    def __init__(self, store: PostgresEventStore) -> None:
        self.store = store
        self.token: str | None = None
        self.seen: list[RecordedEvent] = []

    async def read(self, limit: int | None = None) -> list[tuple[str, int]]:
        found: list[RecordedEvent] = []
        async for batch in self.store.read_all(after=self.token, limit=limit):
            found += batch.events
            self.token = batch.token
        self.seen += found
        return [(each.stream_id, each.version) for each in found]


@pytest.fixture
def reader(worker_pool: Pool) -> Reader:
    return Reader(PostgresEventStore(worker_pool))


@pytest.fixture
async def writers(database_url: str) -> AsyncIterator[list[Connection]]:
    opened = [
        await AsyncConnection.connect(database_url, **connection_arguments(role=WORKER, name=f"writer-{number}"))
        for number in range(3)
    ]
    yield opened
    for connection in opened:
        await connection.close()


async def write(connection: Connection, stream: str, version: int, org: str = ORG) -> None:
    await connection.execute(INSERT, (org, stream, version))


async def test_a_slow_transaction_with_a_lower_position_is_read_when_it_commits(
    reader: Reader, writers: list[Connection]
) -> None:
    slow, fast, _ = writers
    await slow.execute("begin")
    await write(slow, "product-slow", 1)
    await write(fast, "product-fast", 1)
    assert await reader.read() == [("product-fast", 1)]
    await write(fast, "product-fast", 2)
    assert await reader.read() == [("product-fast", 2)]
    await slow.execute("commit")
    assert await reader.read() == [("product-slow", 1)]
    assert await reader.read() == []


async def test_an_older_transaction_that_draws_a_later_position_is_read(
    reader: Reader, writers: list[Connection]
) -> None:
    old, young, _ = writers
    await old.execute("begin")
    await old.execute("select pg_current_xact_id()")
    await young.execute("begin")
    await write(young, "product-young", 1)
    await write(old, "product-old", 1)
    await old.execute("commit")
    assert await reader.read() == [("product-old", 1)]
    await young.execute("commit")
    assert await reader.read() == [("product-young", 1)]


async def test_a_stream_stays_in_order_when_an_older_transaction_continues_it(
    reader: Reader, writers: list[Connection]
) -> None:
    old, young, _ = writers
    await old.execute("begin")
    await old.execute("select pg_current_xact_id()")
    await write(young, "product-1", 1)
    await write(old, "product-1", 2)
    await old.execute("commit")
    assert await reader.read() == [("product-1", 1), ("product-1", 2)]


async def test_what_is_rolled_back_is_never_read_and_holds_nobody_up(reader: Reader, writers: list[Connection]) -> None:
    lost, kept, _ = writers
    await lost.execute("begin")
    await write(lost, "product-lost", 1)
    await write(kept, "product-kept", 1)
    assert await reader.read() == [("product-kept", 1)]
    await lost.execute("rollback")
    await write(kept, "product-kept", 2)
    assert await reader.read() == [("product-kept", 2)]
    assert await reader.read() == []


async def test_an_open_transaction_elsewhere_stalls_nothing(reader: Reader, writers: list[Connection]) -> None:
    idle, busy, _ = writers
    await idle.execute("begin")
    await idle.execute("insert into streams values ('else', 'product-1', 1, 0)")
    for version in range(1, 4):
        await write(busy, "product-1", version)
        assert await reader.read() == [("product-1", version)]


async def test_a_look_that_was_left_in_its_middle_is_finished_before_the_next(
    reader: Reader, writers: list[Connection]
) -> None:
    slow, fast, _ = writers
    await slow.execute("begin")
    await write(slow, "product-slow", 1)
    for version in range(1, 6):
        await write(fast, "product-fast", version)
    assert await reader.read(limit=2) == [("product-fast", 1), ("product-fast", 2)]
    await slow.execute("commit")
    await write(fast, "product-fast", 6)
    assert await reader.read(limit=2) == [("product-fast", 3), ("product-fast", 4)]
    assert await reader.read() == [("product-fast", 5), ("product-slow", 1), ("product-fast", 6)]


async def test_more_than_a_batch_is_read_in_batches(reader: Reader, writers: list[Connection]) -> None:
    await reader.store.append_many(ORG, [append(f"product-{number:05}") for number in range(4100)])
    batches = [batch async for batch in reader.store.read_all()]
    assert [len(batch.events) for batch in batches] == [2000, 2000, 100]
    rest = [e for b in [batch async for batch in reader.store.read_all(after=batches[0].token)] for e in b.events]
    assert len({e.event_id for b in batches[:1] for e in b.events} | {e.event_id for e in rest}) == 4100


@given(st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_the_interleaving_each_committed_event_is_read_once_and_in_order(
    reader: Reader, writers: list[Connection], data: st.DataObject
) -> None:
    org, mine = f"toko-{uuid4()}", Reader(reader.store)
    open_: dict[int, list[str]] = {}
    committed: dict[str, int] = {}
    for _ in range(data.draw(st.integers(4, 20))):
        number = data.draw(st.integers(0, 2))
        action = data.draw(st.sampled_from(["write", "write", "write", "commit", "roll back", "read"]))
        if action == "read":
            await mine.read(data.draw(st.sampled_from([None, 1, 2])))
        elif action == "write":
            if number not in open_:
                await writers[number].execute("begin")
                await writers[number].execute("select pg_current_xact_id()")
                open_[number] = []
            # Streams are the writer's own while its transaction lasts, as their row's lock makes them.
            stream = data.draw(st.sampled_from([f"product-{name}" for name in range(4)]))
            if any(stream in streams for other, streams in open_.items() if other != number):
                continue
            open_[number].append(stream)
            await write(writers[number], stream, committed.get(stream, 0) + open_[number].count(stream), org)
        elif number in open_:
            await writers[number].execute("commit" if action == "commit" else "rollback")
            for stream in open_.pop(number):
                committed[stream] = committed.get(stream, 0) + (action == "commit")
    for number in open_:
        await writers[number].execute("rollback")
    await mine.read()
    seen = [each for each in mine.seen if each.org_id == org]
    for stream, versions in committed.items():
        assert [each.version for each in seen if each.stream_id == stream] == list(range(1, versions + 1))
    assert len(seen) == sum(committed.values())


async def restored(url: str) -> None:
    """As after a dump restored elsewhere: the same rows, another cluster that counts transactions anew."""
    async with await AsyncConnection.connect(url, autocommit=True) as owner:
        await owner.execute("update clusters set system_identifier = 'the-old-one'")


async def test_after_a_restore_reading_goes_on_where_it_was(
    database_url: str, reader: Reader, writers: list[Connection]
) -> None:
    slow, fast, _ = writers
    await slow.execute("begin")
    await write(slow, "product-slow", 1)
    for version in range(1, 4):
        await write(fast, "product-fast", version)
    assert len(await reader.read()) == 3
    await slow.execute("commit")
    await write(fast, "product-fast", 4)
    await restored(database_url)
    assert reader.token is not None
    reader.token = "the-old-one" + reader.token[reader.token.index("|") :]
    with pytest.raises(TokenRefused, match="restored into another cluster: run `syncstore migrate`"):
        await reader.read()
    await migrate(database_url)
    await write(fast, "product-fast", 5)
    # One at a time, so that each token is continued from.
    found = [await reader.read(limit=1) for _ in range(3)]
    assert found == [[("product-slow", 1)], [("product-fast", 4)], [("product-fast", 5)]]
    await write(fast, "product-fast", 6)
    assert await reader.read() == [("product-fast", 6)]
    fresh = Reader(reader.store)
    assert len(await fresh.read(limit=2) + await fresh.read(limit=1) + await fresh.read()) == 7
    assert len({each.event_id for each in fresh.seen}) == 7


async def test_the_application_role_reads_nothing_of_everything(app_pool: Pool) -> None:
    store = PostgresEventStore(app_pool)
    await store.append(ORG, append())
    assert [batch async for batch in store.read_all()] == []
    async with app_pool.connection() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("select * from outbox")
