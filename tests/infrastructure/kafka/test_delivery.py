"""From records to a committed effect: offsets, lanes, what is not ours any more."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from domain.errors import Transient
from domain.messages import RecordedEvent
from domain.product.events import ProductRenamed
from infrastructure.kafka import cloudevents, offsets
from infrastructure.kafka.consumer_metrics import ConsumerMetrics
from infrastructure.kafka.delivery import Delivery, Lanes, Leaving
from infrastructure.kafka.offsets import OffsetsMoved, Partition, Step
from infrastructure.kafka.records import StoredRecord
from infrastructure.postgres.pool import Pool
from tests.infrastructure.kafka.journal import Journal, written
from tests.projections.stage import Stage


def a_record(offset: int, key: str = "a") -> StoredRecord:
    return StoredRecord("t", 0, offset, key.encode(), b"{}", [])


def delivery(stage: Stage, effect: Journal) -> Delivery:
    return Delivery(effect, stage.worker, ConsumerMetrics(CollectorRegistry()), leaving=asyncio.Event())


async def opened(pool: Pool, consumer: str, offset: int) -> None:
    async with pool.connection() as connection:
        await offsets.open_partitions(connection, consumer, {Partition("t", 0): offset})


async def at(stage: Stage, effect: Journal, offset: int) -> Delivery:
    """A member that holds the partition from its stored offset on."""
    await opened(stage.worker, effect.name, offset)
    member = delivery(stage, effect)
    member.positions[Partition("t", 0)] = offset
    return member


async def test_measuring_does_not_wait_for_a_batch_that_holds_a_partition(stage: Stage, journal: Journal) -> None:
    name, held, free = journal.name, Partition("t", 0), Partition("t", 1)
    async with stage.worker.connection() as batch, stage.worker.connection() as meter:
        await offsets.open_partitions(batch, name, {held: 0, free: 0})
        async with batch.transaction():
            await offsets.lock_offsets(batch, name, [held.partition])
            async with asyncio.timeout(10):
                await offsets.measure(meter, name, {held: 7, free: 9})
    measured = "select partition, highwater from consumer_offsets where consumer = %s order by partition"
    assert await stage.rows(measured, name) == [(0, 0), (1, 9)]


async def test_a_member_that_lost_its_partition_changes_nothing(stage: Stage, journal: Journal) -> None:
    await opened(stage.worker, journal.name, 0)
    (fact,) = await stage.store("product-a", ProductRenamed(old="-", new="satu"))
    record = StoredRecord("t", 0, 0, b"a", fact.data, cloudevents.headers_of(fact))
    owner, zombie = delivery(stage, journal), delivery(stage, journal)
    owner.positions[Partition("t", 0)] = zombie.positions[Partition("t", 0)] = 0
    await owner.deliver([record])
    with pytest.raises(OffsetsMoved) as refused:
        await zombie.deliver([record])
    assert refused.value.partitions == {Partition("t", 0)}
    assert await written(stage, "a") == [1]


async def test_a_batch_that_is_tried_again_goes_by_where_it_stood_whatever_was_assigned_meanwhile(
    stage: Stage, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, other = await at(stage, journal, 0), delivery(stage, journal)
    (fact,) = await stage.store("product-a", ProductRenamed(old="-", new="satu"))
    record = StoredRecord("t", 0, 0, b"a", fact.data, cloudevents.headers_of(fact))
    journal.outage = [Transient("the commit was not answered")]

    async def assigned_anew(_: int) -> None:
        other.positions[Partition("t", 0)] = 0
        await other.deliver([record])
        member.positions[Partition("t", 0)] = 1

    monkeypatch.setattr(member, "pause", assigned_anew)
    with pytest.raises(OffsetsMoved):
        await member.deliver([record])
    assert await written(stage, "a") == [1]
    assert member.positions == {Partition("t", 0): 1}


class Meeting(Journal):
    """Applies nothing before both of two transactions have begun."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.topics)
        self.both = asyncio.Barrier(2)

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:
        async with asyncio.timeout(10):
            await self.both.wait()
        await super().apply(connection, events)


async def two_lanes(stage: Stage, effect: Journal) -> tuple[Delivery, list[StoredRecord]]:
    """Products a and b, two events each, in partitions 0 and 1."""
    records = []
    for number, product in enumerate("ab"):
        facts = await stage.store(f"product-{product}", *(ProductRenamed(old="-", new=name) for name in ("x", "y")))
        records += [
            StoredRecord("t", number, offset, product.encode(), fact.data, cloudevents.headers_of(fact))
            for offset, fact in enumerate(facts)
        ]
    starts = {Partition("t", 0): 0, Partition("t", 1): 0}
    async with stage.worker.connection() as connection:
        await offsets.open_partitions(connection, effect.name, starts)
    metrics = ConsumerMetrics(CollectorRegistry())
    member = Delivery(effect, stage.worker, metrics, leaving=asyncio.Event(), lanes=Lanes(2, worth_it_from=4))
    member.positions.update(starts)
    return member, records


async def test_partitions_of_different_lanes_are_applied_at_the_same_time(stage: Stage) -> None:
    member, records = await two_lanes(stage, Meeting(stage))
    await member.deliver(records)
    assert member.positions == {Partition("t", 0): 2, Partition("t", 1): 2}
    assert (await written(stage, "a"), await written(stage, "b")) == ([1, 2], [1, 2])


async def test_few_records_share_a_transaction(stage: Stage, journal: Journal) -> None:
    member, records = await two_lanes(stage, journal)
    await member.deliver([records[0], records[2]])
    assert journal.calls == 1


async def test_a_lane_that_lost_its_partition_leaves_the_other_alone(stage: Stage, journal: Journal) -> None:
    member, records = await two_lanes(stage, journal)
    async with stage.worker.connection() as connection:
        await offsets.advance(connection, journal.name, [Step(Partition("t", 0), 0, 2, 0, 0)])
    with pytest.raises(OffsetsMoved) as refused:
        await member.deliver(records)
    assert refused.value.partitions == {Partition("t", 0)}
    assert member.positions == {Partition("t", 0): 0, Partition("t", 1): 2}
    assert (await written(stage, "a"), await written(stage, "b")) == ([], [1, 2])


async def test_offsets_move_only_from_where_they_are_believed_to_be(stage: Stage, journal: Journal) -> None:
    await opened(stage.worker, journal.name, 5)
    async with stage.worker.connection() as connection:
        partition = Partition("t", 0)
        await offsets.advance(connection, journal.name, [Step(partition, 5, 8, 0, 0)])
        with pytest.raises(OffsetsMoved):
            await offsets.advance(connection, journal.name, [Step(partition, 5, 9, 0, 0)])
        assert await offsets.load_offsets(connection, journal.name) == {partition: 8}


async def test_records_of_partitions_that_are_not_held_are_dropped(stage: Stage, journal: Journal) -> None:
    await opened(stage.worker, journal.name, 0)
    await delivery(stage, journal).deliver([a_record(0)])
    assert journal.calls == 0


async def test_records_from_below_the_stored_offset_are_not_applied(stage: Stage, journal: Journal) -> None:
    member = await at(stage, journal, 7)
    with pytest.raises(OffsetsMoved):
        await member.deliver([a_record(3)])


async def test_records_that_were_on_their_way_before_the_stored_offset_was_sought_are_not_applied(
    stage: Stage, journal: Journal
) -> None:
    member = await at(stage, journal, 3)
    with pytest.raises(OffsetsMoved):
        await member.deliver([a_record(5)])
    assert member.positions[Partition("t", 0)] == 3


async def test_where_kafka_has_nothing_at_the_stored_offset_reading_goes_on_behind_it(
    stage: Stage, journal: Journal
) -> None:
    member = await at(stage, journal, 3)
    with pytest.raises(OffsetsMoved):
        await member.deliver([a_record(5)])
    await member.deliver([a_record(5)])  # what was read again from the stored offset on
    assert member.positions[Partition("t", 0)] == 6


async def test_a_pause_ends_at_once_when_asked_to_leave(stage: Stage, journal: Journal) -> None:
    leaving = asyncio.Event()
    leaving.set()
    member = Delivery(journal, stage.worker, ConsumerMetrics(CollectorRegistry()), leaving=leaving)
    with pytest.raises(Leaving):
        await member.pause(30)
