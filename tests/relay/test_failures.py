"""Processes killed, brokers gone, producers out of step: late, perhaps twice, but never lost or out of order."""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog

from infrastructure.kafka.client import KafkaSettings
from infrastructure.local_stack.ports import choose_free
from infrastructure.local_stack.stack import LocalStack, Part
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.operations import statistics
from infrastructure.outbox.reader import Outbox, Pending
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import WORKER, open_pool
from relay import loop
from relay.producer import AWAY, SendingFailed
from relay.publisher import Batches
from relay.relay import BATCH
from tests.plugins.local_stack import JARS
from tests.relay.world import DEADLINE, World, begin, first_seen, until

KEYS = [f"key-{number}" for number in range(40)]


async def store_all(world: World, versions: range) -> None:
    async with world.pool.connection() as connection:
        for version in versions:
            for key in KEYS:
                await world.store(key, version, connection=connection)


def assert_in_order(versions: dict[str, list[int]], expected: range) -> None:
    assert {key: first_seen(found) for key, found in versions.items()} == {key: list(expected) for key in KEYS}


async def test_another_relay_takes_over_from_a_killed_one(world: World, database_url: str) -> None:
    command = [sys.executable, "-m", "tests.relay.process", database_url, world.kafka.bootstrap, "doomed", "2"]
    doomed = await asyncio.create_subprocess_exec(*command)
    try:
        await store_all(world, range(1, 6))
        await until(world.is_empty)
        writing = asyncio.create_task(store_all(world, range(6, 31)))

        async def has_begun() -> bool:
            return sum(map(len, (await world.versions()).values())) > 6 * len(KEYS)

        await until(has_begun)
    finally:
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
    async with world.relaying("heir", lease_seconds=2.0):
        await writing
        await until(world.is_empty)

    versions = await world.versions()
    assert_in_order(versions, range(1, 31))
    repeated = sum(map(len, versions.values())) - len(KEYS) * 30
    assert repeated <= 2 * BATCH  # what was under way, and acknowledged but not yet deleted


async def test_a_zombie_deletes_and_parks_nothing(world: World) -> None:
    await world.store("key", 1)
    zombie = Leases(world.pool, "zombie", ttl=0.001)
    old = await zombie.claim(SHARDS)
    heir = Leases(world.pool, "heir", ttl=60)

    async def taken() -> bool:
        return bool(await heir.claim(SHARDS))

    await until(taken)
    outbox = Outbox(world.pool, "zombie")
    rows = await outbox.pending(low=0, passed={}, shards=list(old), under_way=(), limit=10)

    assert len(rows) == 1
    assert await outbox.delete(rows, old) == 0
    assert await zombie.renew(old) == ({}, 32) or await zombie.renew(old) == ({}, 64)
    assert not await world.is_empty()


async def test_nothing_is_sent_once_reading_has_outlasted_the_leases(world: World) -> None:
    for version in range(1, 6):
        await world.store("key", version)
    async with world.by_hand(batch=2) as relay:
        assert await relay.relay.one_pass(relay.terms, patience=0) == 0
        assert await relay.one_pass() == 2
        assert await relay.relay.one_pass(relay.terms, patience=0) == 0, "nor what had been read ahead"
        assert await world.versions() == {"key": [1, 2]}
        assert await relay.drain() == 3

    assert await world.versions() == {"key": [1, 2, 3, 4, 5]}


async def test_stopping_leaves_nothing_to_be_sent_twice(world: World) -> None:
    await store_all(world, range(1, 61))
    for _ in range(3):
        async with world.relaying() as metrics:

            async def has_begun(metrics: object = metrics) -> bool:
                return metrics.published._value.get() > 0 or await world.is_empty()  # type: ignore[attr-defined]  # of prometheus

            await until(has_begun)
    async with world.relaying():
        await until(world.is_empty)

    assert await world.versions() == {key: list(range(1, 61)) for key in KEYS}


async def test_a_producer_out_of_step_is_replaced(world: World) -> None:
    await store_all(world, range(1, 4))
    async with world.by_hand() as relay:
        await relay.drain()
        client = relay.publisher.producer._client
        for partition in list(client._txn_manager._sequence_numbers):
            client._txn_manager._sequence_numbers[partition] += 1000
        await store_all(world, range(4, 7))
        with pytest.raises(AWAY):
            await relay.one_pass()
        assert not relay.publisher.producer.is_open
        await relay.publisher.producer.open()
        await relay.drain()

    assert await world.versions() == {key: list(range(1, 7)) for key in KEYS}


async def test_what_cannot_be_prepared_while_a_batch_is_under_way_is_read_again_in_its_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_all(world, range(1, 4))
    async with world.by_hand(batch=len(KEYS)) as relay:
        prepare, calls = relay.publisher.prepare, itertools.count(1)

        async def without_answer(rows: Sequence[Pending]) -> Batches:
            if next(calls) == 2:
                raise SendingFailed("Kafka does not say how many partitions there are")
            return await prepare(rows)

        monkeypatch.setattr(relay.publisher, "prepare", without_answer)
        assert await relay.one_pass() == len(KEYS)
        await relay.drain()

    assert await world.versions() == {key: [1, 2, 3] for key in KEYS}


@pytest.fixture
def own_kafka(stack_folder: Path) -> LocalStack:
    return LocalStack(stack_folder, durable=False, jars=JARS)


async def test_a_broker_killed_and_started_again_loses_and_reorders_nothing(
    database_url: str, own_kafka: LocalStack
) -> None:
    address = await asyncio.to_thread(own_kafka.up, [Part.KAFKA])
    async with open_pool(database_url, role=WORKER, name="tests-relay", max_size=16) as pool:
        world = await begin(pool, KafkaSettings(bootstrap=address.kafka_bootstrap))
        async with world.relaying() as metrics:
            writing = asyncio.create_task(store_all(world, range(1, 101)))

            async def has_begun() -> bool:
                return bool(metrics.published._value.get() > 100)

            await until(has_begun)
            pid = own_kafka.status().kafka.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await writing
            assert not await world.is_empty()
            await asyncio.to_thread(own_kafka.up, [Part.KAFKA])
            await until(world.is_empty)

        assert_in_order(await world.versions(), range(1, 101))


async def test_without_kafka_the_outbox_grows_visibly_and_the_relay_stops_on_request(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ALARM_AGE_SECONDS", 0.0)
    monkeypatch.setattr(loop, "STATISTICS_SECONDS", 0.05)
    async with open_pool(database_url, role=WORKER, name="tests-relay") as pool:
        world = World(pool, KafkaSettings(bootstrap=f"127.0.0.1:{choose_free(excluding=frozenset())}"), {})
        await world.store("key", 1)
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(DEADLINE), world.relaying() as metrics:

                async def is_told() -> bool:
                    return {"outbox_growing", "kafka_not_taking_events"} <= {line["event"] for line in logs}

                await until(is_told)
                assert metrics.depth._value.get() == 1
        assert (await statistics(pool)).depth == 1
