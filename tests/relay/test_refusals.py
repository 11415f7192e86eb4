"""What Kafka refuses waits with all that follows it; everything else flows."""

import time
from collections.abc import Mapping, MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infrastructure.kafka.topics import PRODUCT, TABLE
from infrastructure.outbox import operations
from infrastructure.outbox.operations import NothingParked
from infrastructure.outbox.reader import Refused
from relay import publisher
from tests.relay.world import World, until

POISONED, WELL = "poisoned", "well"
TOO_LARGE = 1_300_000


async def store_around_a_poisoned_event(world: World) -> None:
    for version in (1, 2, 3):
        await world.store(POISONED, version, size=TOO_LARGE if version == 2 else 10)
        await world.store(WELL, version)


async def test_a_refused_event_parks_its_key_and_no_other(world: World) -> None:
    await store_around_a_poisoned_event(world)
    async with world.relaying():
        await until(world.is_empty)
        await world.store(POISONED, 4)
        await world.store(WELL, 4)
        await until(world.is_empty)

    assert await world.versions() == {POISONED: [1], WELL: [1, 2, 3, 4]}
    (parked,) = await operations.parked(world.pool)
    assert (parked.key, parked.events) == (POISONED, 3)
    assert "MessageSizeTooLarge" in (parked.reason or "")


async def test_dropping_the_refused_event_lets_those_behind_it_flow_in_order(world: World) -> None:
    await store_around_a_poisoned_event(world)
    async with world.relaying():
        await until(world.is_empty)
        await world.store(POISONED, 4)
        await until(world.is_empty)
        assert await operations.drop(world.pool, POISONED, reason="a test's", by="user:rina") == 2
        await world.store(POISONED, 5)
        await until(world.is_empty)

    assert (await world.versions())[POISONED] == [1, 3, 4, 5]
    async with world.pool.connection() as connection:
        cursor = await connection.execute("select partition_key, reason, dropped_by from outbox_dropped")
        assert await cursor.fetchall() == [(POISONED, "a test's", "user:rina")]


async def test_a_released_key_is_parked_again_while_kafka_still_refuses_it(world: World) -> None:
    await store_around_a_poisoned_event(world)
    async with world.relaying():
        await until(world.is_empty)
        assert await operations.release(world.pool, POISONED) == 2
        await until(world.is_empty)

    assert (await world.versions())[POISONED] == [1]
    assert (await operations.statistics(world.pool)).parked == 2


async def test_a_released_key_flows_in_order_once_kafka_takes_it(world: World) -> None:
    await store_around_a_poisoned_event(world)
    async with world.relaying():
        await until(world.is_empty)
        await allow(world, 4 * TOO_LARGE)
        try:
            await world.store(POISONED, 4)
            await until(world.is_empty)
            assert await operations.release(world.pool, POISONED) == 3
            await world.store(POISONED, 5)
            await until(world.is_empty)
        finally:
            await allow(world, 1_048_588)

    assert (await world.versions())[POISONED] == [1, 2, 3, 4, 5]


async def test_rows_behind_a_parked_key_that_were_read_before_its_release_are_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_around_a_poisoned_event(world)
    async with world.by_hand() as relay:
        await relay.drain()
        await world.store(POISONED, 4)
        outbox = relay.relay._outbox
        park = outbox.park

        async def just_released(refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
            monkeypatch.undo()
            assert [row.is_parked for row, _ in refused] == [True]
            await operations.drop(world.pool, POISONED, reason="a test's", by="user:rina")
            return await park(refused, terms)

        monkeypatch.setattr(outbox, "park", just_released)
        await relay.drain()

    assert (await world.versions())[POISONED] == [1, 3, 4]
    assert (await operations.statistics(world.pool)).parked == 0


async def test_a_stream_that_no_topic_carries_is_parked_with_the_reason(world: World) -> None:
    await world.store("k", 1, category="basket")
    async with world.by_hand() as relay:
        await relay.drain()
    (parked,) = await operations.parked(world.pool)
    assert "no topic carries" in (parked.reason or "")


async def test_releasing_or_dropping_what_is_not_parked_says_so(world: World) -> None:
    with pytest.raises(NothingParked, match="syncstore relay parked"):
        await operations.release(world.pool, "nobody")
    with pytest.raises(NothingParked):
        await operations.drop(world.pool, "nobody", reason="", by="")


async def test_a_relay_whose_clock_is_hours_ahead_publishes_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "time", SimpleNamespace(time=lambda: time.time() + 7_200))
    await world.store(WELL, 1)
    async with world.relaying():
        await until(world.is_empty)
    assert await world.versions() == {WELL: [1]}
    assert (await operations.statistics(world.pool)).parked == 0


async def test_nothing_is_parked_where_a_topic_goes_by_clocks_and_the_relays_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 7_200.0
    monkeypatch.setattr(publisher, "time", SimpleNamespace(time=lambda: time.time() + ahead))
    await configure(world, {"message.timestamp.type": "CreateTime"})
    try:
        await world.store(WELL, 1)
        with structlog.testing.capture_logs() as logged:
            async with world.relaying():
                await until(lambda: told(logged, "InvalidTimestampError"))
                ahead = 0.0
                await until(world.is_empty)
    finally:
        await configure(world, {})
    assert await world.versions() == {WELL: [1]}
    assert (await operations.statistics(world.pool)).parked == 0


async def told(logged: list[MutableMapping[str, Any]], reason: str) -> bool:
    return any(line["event"] == "kafka_not_taking_events" and reason in line["reason"] for line in logged)


async def allow(world: World, size: int) -> None:
    await configure(world, {"max.message.bytes": str(size)})


async def configure(world: World, config: dict[str, str]) -> None:
    """The topic of products, as it is declared but for this."""
    admin = AIOKafkaAdminClient(**world.kafka.client_options())
    await admin.start()
    try:
        declared = next(topic.config for topic in TABLE if topic.name == PRODUCT)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, PRODUCT, declared | config)])
    finally:
        await admin.close()
