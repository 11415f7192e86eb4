"""Where consumers stand, kept in PostgreSQL and moved by compare-and-set in the transaction of the effect.

A member that lost a partition to a rebalance may still hold records of it. Its compare-and-set then finds another
offset than it believes, changes nothing, and the whole transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from domain.errors import SyncStoreError
from infrastructure.postgres.statements import load

_sql: Final = load(Path(__file__).with_suffix(".sql"))


class Partition(NamedTuple):
    """A partition of a topic; equal to aiokafka's `TopicPartition` of the same values."""

    topic: str
    partition: int


class Step(NamedTuple):
    """A move of one partition: from the offset believed to be stored to the next one to read."""

    partition: Partition
    expected: int
    next_offset: int
    position: int
    """Highest event position among the records of this step; 0 if there is none."""
    highwater: int


class OffsetsMoved(SyncStoreError):
    """Another member has moved these partitions meanwhile: nothing was changed, read again from what is stored."""

    def __init__(self, partitions: Iterable[Partition]) -> None:
        self.partitions = frozenset(partitions)
        named = ", ".join(f"{topic}/{number}" for topic, number in sorted(self.partitions))
        super().__init__(f"another member has moved {named}")


def _columns(partitions: Iterable[Partition]) -> dict[str, list[Any]]:
    found = sorted(partitions)
    return {"topics": [p.topic for p in found], "partitions": [p.partition for p in found]}


async def open_partitions(connection: AsyncConnection[Any], consumer: str, starts: Mapping[Partition, int]) -> None:
    """Store a first offset for partitions that have none."""
    found = sorted(starts)
    values = {**_columns(found), "offsets": [starts[p] for p in found]}
    await connection.execute(_sql["open"], {"consumer": consumer, **values})


async def load_offsets(
    connection: AsyncConnection[Any], consumer: str, partitions: Iterable[Partition] | None = None
) -> dict[Partition, int]:
    """Next offset of each partition that has one; of all partitions when none are named."""
    if partitions is None:
        cursor = await connection.execute(_sql["load_all"], {"consumer": consumer})
    else:
        cursor = await connection.execute(_sql["load"], {"consumer": consumer, **_columns(partitions)})
    return {Partition(topic, number): offset for topic, number, offset in await cursor.fetchall()}


async def lock_offsets(
    connection: AsyncConnection[Any], consumer: str, partitions: Sequence[int] | None = None
) -> dict[Partition, int]:
    """Stop the consumer from moving until the transaction ends; answers where it stands."""
    if partitions is None:
        cursor = await connection.execute(_sql["lock_all"], {"consumer": consumer})
    else:
        cursor = await connection.execute(
            _sql["lock_partitions"], {"consumer": consumer, "partitions": list(partitions)}
        )
    return {Partition(topic, number): offset for topic, number, offset in await cursor.fetchall()}


async def advance(connection: AsyncConnection[Any], consumer: str, steps: Sequence[Step]) -> None:
    """Move partitions that stand where the steps expect them.

    Raises OffsetsMoved if one does not; the caller's transaction must then be rolled back.
    """
    steps = sorted(steps)
    cursor = await connection.execute(
        _sql["advance"],
        {
            "consumer": consumer,
            **_columns(step.partition for step in steps),
            "expected": [step.expected for step in steps],
            "next": [step.next_offset for step in steps],
            "positions": [step.position for step in steps],
            "highwaters": [step.highwater for step in steps],
        },
    )
    if cursor.rowcount != len(steps):
        raise OffsetsMoved(step.partition for step in steps)


async def reset_offset(
    connection: AsyncConnection[Any], consumer: str, partition: Partition, *, expected: int, offset: int
) -> None:
    """Put a partition somewhere else, unless it has been moved already."""
    await connection.execute(
        _sql["reset"],
        {
            "consumer": consumer,
            "topic": partition.topic,
            "partition": partition.partition,
            "expected": expected,
            "offset": offset,
        },
    )


async def start_over(connection: AsyncConnection[Any], topics: Sequence[str]) -> None:
    """Of every consumer, for topics that were made anew: their offsets are those of another topic of the same name."""
    await connection.execute(_sql["start_over"], {"topics": list(topics)})


async def measure(connection: AsyncConnection[Any], consumer: str, ends: Mapping[Partition, int]) -> None:
    """Store where partitions end in Kafka."""
    found = sorted(ends)
    values = {**_columns(found), "highwaters": [ends[p] for p in found]}
    await connection.execute(_sql["measure"], {"consumer": consumer, **values})


async def forget(connection: AsyncConnection[Any], consumer: str) -> None:
    await connection.execute(_sql["forget"], {"consumer": consumer})
