"""What is in the outbox comes to Kafka: all of it, in order per key, once."""

from __future__ import annotations

import asyncio

import psycopg

from infrastructure.kafka import cloudevents
from infrastructure.kafka.topics import BY_CATEGORY
from tests.relay.ground import Ground, complete, relaying, repeated, versions_by_stream
from tests.support.backlog import Fact, rounds, store

KEYS = [f"p{number}" for number in range(50)]


async def test_a_backlog_arrives_complete_and_in_order_and_leaves_the_outbox_empty(ground: Ground) -> None:
    facts = rounds(KEYS, range(1, 201))
    await ground.store(facts)
    async with relaying(ground) as (relay,):
        await ground.emptied()

    records = await ground.arrived()
    assert len(records) == len(facts)
    assert versions_by_stream(records) == complete(facts)
    assert relay.metrics.published._value.get() == len(facts)  # no other way to read a counter


async def test_a_record_is_the_event_with_all_that_is_known_of_it(ground: Ground) -> None:
    categories = ["product", "stock", "listing", "connection"]
    key = "poison-1"  # a product's event in every category is nothing that consumers may meet
    await ground.store([Fact(key, 1, category) for category in categories])
    async with relaying(ground):
        await ground.emptied()

    records = {record.stream_id: record for record in await ground.arrived()}
    assert {stream: record.topic for stream, record in records.items()} == {
        f"{category}-{key}": BY_CATEGORY[category] for category in categories
    }
    assert len({records[f"{category}-{key}"].partition for category in categories[:3]}) == 1
    stored = await ground.rows(
        "select stream_id, position, event_id, occurred_at, recorded_at, actor, correlation_id, data::text from events"
    )
    for stream_id, position, event_id, occurred_at, recorded_at, actor, correlation_id, data in stored:
        record = records[stream_id]
        event = cloudevents.read(record.key.encode(), record.value, list(record.headers.items()))
        assert record.headers_count == len(cloudevents.headers_of(event))
        assert dict(cloudevents.headers_of(event)).keys() == record.headers.keys()
        assert (event.position, event.event_id, event.occurred_at) == (position, event_id, occurred_at)
        assert (event.recorded_at, event.actor, event.correlation_id) == (recorded_at, actor, correlation_id)
        assert event.data.decode() == data


async def test_events_stored_while_it_runs_arrive_too(ground: Ground) -> None:
    facts = [rounds(KEYS, [version]) for version in range(1, 31)]
    async with relaying(ground):
        for some in facts:
            await ground.store(some)
        await ground.emptied()

    records = await ground.arrived()
    assert versions_by_stream(records) == complete(fact for some in facts for fact in some)
    assert repeated(records) == 0


async def test_many_transactions_that_commit_in_any_order_lose_nothing(ground: Ground) -> None:
    async def append(number: int) -> None:
        async with await psycopg.AsyncConnection.connect(ground.url) as connection:
            for version in range(1, 16):
                await store(connection, [Fact(f"k{number}", version)], org=ground.org)
                await connection.execute("select pg_sleep(random() * 0.03)")
                await connection.commit()

    async with relaying(ground, 2):
        await asyncio.gather(*(append(number) for number in range(12)))
        await ground.emptied()

    records = await ground.arrived()
    assert versions_by_stream(records) == complete(rounds([f"k{number}" for number in range(12)], range(1, 16)))
