"""What the statements of consumers' offsets and of parked records mean."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple

from infrastructure.kafka.offsets import _sql as OFFSETS  # noqa: N812  # a table of statements, as its sisters
from infrastructure.kafka.parking import _sql as PARKING  # noqa: N812
from tests.simulation.database import STATEMENTS, MustWait, Result, Transaction, Values, texts_in

TABLES: Final = ("consumer_offsets", "consumer_parked", "consumer_dropped", "applied")


class Waiting(NamedTuple):
    consumer: str
    key: str
    topic: str
    partition: int
    offset: int
    record_key: bytes | None
    record_value: bytes | None
    headers: list[Any]
    reason: str


@STATEMENTS.means(OFFSETS["open"], "open offsets")
def _open(tx: Transaction, p: Values) -> Result:
    for topic, partition, offset in zip(p["topics"], p["partitions"], p["offsets"], strict=True):
        key = p["consumer"], topic, partition
        if tx.get("consumer_offsets", key) is None:
            tx.lock("consumer_offsets", key)
            tx.put("consumer_offsets", key, offset)
    return Result()


@STATEMENTS.means(OFFSETS["load"], "load offsets")
def _load(tx: Transaction, p: Values) -> Result:
    found = []
    for topic, partition in zip(p["topics"], p["partitions"], strict=True):
        offset = tx.get("consumer_offsets", (p["consumer"], topic, partition))
        if offset is not None:
            found.append((topic, partition, offset))
    return Result(found)


def _all(tx: Transaction, consumer: str) -> list[tuple[str, int, int]]:
    return [
        (topic, partition, offset)
        for (name, topic, partition), offset in tx.scan("consumer_offsets")
        if name == consumer
    ]


@STATEMENTS.means(OFFSETS["load_all"], "load all offsets")
def _load_all(tx: Transaction, p: Values) -> Result:
    return Result(_all(tx, p["consumer"]))


@STATEMENTS.means(OFFSETS["lock_all"], "lock all offsets")
def _lock_all(tx: Transaction, p: Values) -> Result:
    for topic, partition, _ in _all(tx, p["consumer"]):
        tx.lock("consumer_offsets", (p["consumer"], topic, partition))
    return Result(_all(tx, p["consumer"]))


@STATEMENTS.means(OFFSETS["lock_partitions"], "lock offsets")
def _lock_partitions(tx: Transaction, p: Values) -> Result:
    wanted = [one for one in _all(tx, p["consumer"]) if one[1] in p["partitions"]]
    for topic, partition, _ in wanted:
        tx.lock("consumer_offsets", (p["consumer"], topic, partition))
    return Result(wanted)


@STATEMENTS.means(OFFSETS["advance"], "advance")
def advance(tx: Transaction, p: Values) -> Result:
    moved = 0
    for topic, partition, expected, following in zip(
        p["topics"], p["partitions"], p["expected"], p["next"], strict=True
    ):
        key = p["consumer"], topic, partition
        if tx.get("consumer_offsets", key) == expected:
            tx.put("consumer_offsets", key, following)
            moved += 1
    return Result(rowcount=moved)


@STATEMENTS.means(OFFSETS["reset"], "reset offset")
def _reset(tx: Transaction, p: Values) -> Result:
    key = p["consumer"], p["topic"], p["partition"]
    if tx.get("consumer_offsets", key) == p["expected"]:
        tx.put("consumer_offsets", key, p["offset"])
    return Result()


@STATEMENTS.means(OFFSETS["measure"], "measure")
def _measure(tx: Transaction, p: Values) -> Result:
    for topic, partition in zip(p["topics"], p["partitions"], strict=True):
        key = p["consumer"], topic, partition
        if tx.get("consumer_offsets", key) is not None:
            with suppress(MustWait):
                tx.lock("consumer_offsets", key)
    return Result()


@STATEMENTS.means(OFFSETS["forget"], "forget offsets")
def _forget(tx: Transaction, p: Values) -> Result:
    for topic, partition, _ in _all(tx, p["consumer"]):
        tx.remove("consumer_offsets", (p["consumer"], topic, partition))
    return Result()


def _parked(tx: Transaction, p: Values) -> list[tuple[int, Waiting]]:
    return [
        (number, one)
        for number, one in tx.scan("consumer_parked")
        if one.consumer == p["consumer"] and one.key == p["key"]
    ]


@STATEMENTS.means(PARKING["parked_keys"], "parked keys")
def _parked_keys(tx: Transaction, p: Values) -> Result:
    keys = {one.key for _, one in tx.scan("consumer_parked") if one.consumer == p["consumer"]}
    return Result([(key,) for key in sorted(keys.intersection(texts_in(p["keys"])))])


@STATEMENTS.means(PARKING["park"], "park record")
def _park(tx: Transaction, p: Values) -> Result:
    one = Waiting(
        p["consumer"],
        p["key"],
        p["topic"],
        p["partition"],
        p["offset"],
        p["record_key"],
        p["record_value"],
        p["headers"].obj,
        p["reason"],
    )
    tx.put("consumer_parked", tx.database.next_of("consumer_parked"), one)
    return Result(rowcount=1)


@STATEMENTS.means(PARKING["partitions_of"], "partitions of key")
def _partitions_of(tx: Transaction, p: Values) -> Result:
    return Result([(number,) for number in sorted({one.partition for _, one in _parked(tx, p)})])


@STATEMENTS.means(PARKING["records_of"], "records of key")
def _records_of(tx: Transaction, p: Values) -> Result:
    return Result(
        [
            (number, one.topic, one.partition, one.offset, one.record_key, one.record_value, one.headers)
            for number, one in _parked(tx, p)
        ]
    )


@STATEMENTS.means(PARKING["remove"], "remove parked")
def _remove(tx: Transaction, p: Values) -> Result:
    for number in p["ids"]:
        if tx.get("consumer_parked", number) is not None:
            tx.remove("consumer_parked", number)
    return Result()


@STATEMENTS.means(PARKING["note_dropped"], "note dropped")
def _note_dropped(tx: Transaction, p: Values) -> Result:
    found = _parked(tx, p) if p["whole_key"] else _parked(tx, p)[:1]
    for number, one in found:
        tx.put("consumer_dropped", number, one)
    return Result([(number,) for number, _ in found])


@STATEMENTS.means(PARKING["count"], "count parked")
def _count(tx: Transaction, p: Values) -> Result:
    waiting = [one.key for _, one in tx.scan("consumer_parked") if one.consumer == p["consumer"]]
    return Result([(len(set(waiting)), len(waiting))])
