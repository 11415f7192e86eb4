"""Events that are published once more: which, in what order, and how consumers can tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from infrastructure.kafka.records import Record
from infrastructure.outbox.published import Selection
from relay.republish import republish
from tests.relay.world import World, until

ALL = Selection(from_position=0)


async def published(world: World, *keys: str, versions: int = 3) -> list[int]:
    """Positions of events that are in Kafka, and in the outbox no more."""
    positions = [await world.store(key, version) for version in range(1, versions + 1) for key in keys]
    async with world.relaying():
        await until(world.is_empty)
    return positions


def versions_of(records: list[Record], key: str) -> list[int]:
    return [int(dict(one.headers)["ce_sequence"] or 0) for one in records if one.key == key.encode()]


def replayed(records: list[Record]) -> list[Record]:
    return [one for one in records if ("ce_replay", b"true") in one.headers]


async def test_events_come_again_in_order_marked_and_otherwise_as_they_were(world: World) -> None:
    await published(world, "a", "b")
    assert await republish(world.pool, world.kafka, ALL) == 6
    records = await world.records()
    again = replayed(records)
    assert [versions_of(again, key) for key in ("a", "b")] == [[1, 2, 3]] * 2
    first = {dict(one.headers)["ce_id"]: one for one in records if one not in again}
    for one in again:
        before = first[dict(one.headers)["ce_id"]]
        assert (one.topic, one.partition, one.key, one.value) == (
            before.topic,
            before.partition,
            before.key,
            before.value,
        )
        assert [header for header in one.headers if header[0] != "ce_replay"] == list(before.headers)


async def test_from_a_position_from_a_time_or_of_one_product(world: World) -> None:
    positions = await published(world, "a", "b")
    hour = timedelta(hours=1)
    for selection, expected in (
        (Selection(from_position=positions[2]), 4),
        (Selection(since=datetime.now(UTC) - hour), 6),
        (Selection(since=datetime.now(UTC) + hour), 0),
        (Selection(key="b"), 3),
        (Selection(key="b", from_position=positions[4]), 1),
        (Selection(key="b", categories=("stock",)), 0),
        (Selection(key="b", categories=("stock", "product")), 3),
    ):
        told: list[tuple[int, int]] = []
        sent = await republish(world.pool, world.kafka, selection, lambda *now, told=told: told.append(now))
        assert (sent, told) == (expected, [(expected, expected)] if expected else [])


async def test_what_waits_in_the_outbox_is_left_to_the_relay_and_what_was_dropped_stays_dropped(world: World) -> None:
    (first, *_) = await published(world, "a")
    async with world.pool.connection() as connection:
        await connection.execute(
            "insert into outbox_dropped (position, partition_key, reason, dropped_by) values (%s, 'a', '-', '-')",
            [first],
        )
    await world.store("a", 4)
    assert await republish(world.pool, world.kafka, ALL) == 2
    assert versions_of(replayed(await world.records()), "a") == [2, 3]


async def test_more_than_one_batch_keeps_its_order(world: World) -> None:
    async with world.pool.connection() as connection, connection.transaction():
        for version in range(1, 601):
            for key in ("a", "b", "c", "d", "e", "f", "g"):
                await world.store(key, version, connection=connection)
    async with world.relaying():
        await until(world.is_empty)
    assert await republish(world.pool, world.kafka, ALL) == 4_200
    again = replayed(await world.records())
    assert all(versions_of(again, key) == list(range(1, 601)) for key in "abcdefg")
