"""Consumers against real Kafka and PostgreSQL: once each, in order per key, whatever goes wrong."""

from typing import Any

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from domain.product.events import ProductRenamed
from infrastructure.kafka import cloudevents, parking
from infrastructure.kafka.delivery import Delivery
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.records import StoredRecord, key_of
from infrastructure.kafka.watchdog import Watchdog
from tests.infrastructure.kafka.journal import Journal, consuming, rename, wait_for, written
from tests.projections.stage import Stage, until


async def test_a_poison_record_parks_its_key_and_others_go_on_until_it_is_released(
    stage: Stage, journal: Journal
) -> None:
    journal.refuses = {"racun"}
    await rename(stage, "a", "satu", "racun", "tiga")
    await rename(stage, "b", "satu", "dua")
    async with consuming(stage, journal):
        await wait_for(stage, "b", [1, 2])
        await wait_for(stage, "a", [1])
        await rename(stage, "a", "empat")
        await rename(stage, "b", "tiga")
        await wait_for(stage, "b", [1, 2, 3])

        async def all_set_aside() -> bool:
            parked = await parking.list_parked(stage.worker, journal.name)
            return [(key.key, key.records) for key in parked] == [("a", 3)]

        await until(all_set_aside)
        (parked,) = await parking.list_parked(stage.worker, journal.name)
        assert "will not have" in parked.reason
        with pytest.raises(parking.StillRefused, match="will not have"):
            await parking.release(stage.worker, journal, "a")
        assert await written(stage, "a") == [1]
        journal.refuses = set()
        assert await parking.release(stage.worker, journal, "a") == 3
        assert await written(stage, "a") == [1, 2, 3, 4]
        await rename(stage, "a", "lima")
        await wait_for(stage, "a", [1, 2, 3, 4, 5])
    assert await parking.list_parked(stage.worker, journal.name) == []


async def test_a_dropped_record_is_remembered_with_who_and_why(stage: Stage, journal: Journal) -> None:
    journal.refuses = {"racun"}
    await rename(stage, "a", "racun", "dua")
    async with consuming(stage, journal):

        async def both() -> bool:
            return [key.records for key in await parking.list_parked(stage.worker, journal.name)] == [2]

        await until(both)
        assert await parking.drop(stage.worker, journal.name, "a", because="wrong import", by="user:sari") == 1
        assert await parking.release(stage.worker, journal, "a") == 1
        assert await written(stage, "a") == [2]
    (kept,) = await stage.rows("select dropped_because, dropped_by, event_id is not null from consumer_dropped")
    assert kept == ("wrong import", "user:sari", True)
    with pytest.raises(parking.NotParked):
        await parking.drop(stage.worker, journal.name, "a", because="again", by="user:sari", whole_key=True)


async def test_records_that_cannot_be_read_are_parked_and_unknown_types_pass_by(stage: Stage, journal: Journal) -> None:
    (fact,) = await stage.store("product-a", ProductRenamed(old="-", new="satu"))
    headers = dict(cloudevents.headers_of(fact))
    strange = {**headers, "ce_type": b"product.teleported", "ce_dataschema": b"urn:syncstore:product.teleported:1"}
    future = {**headers, "ce_dataschema": b"urn:syncstore:product.renamed:99"}
    await stage.send("product", b"c", fact.data, list(strange.items()))
    await stage.send("product", b"d", fact.data, [("ce_type", b"\xff\xfe")])
    await stage.send("product", b"e", fact.data, list(future.items()))
    await rename(stage, "b", "satu")
    async with consuming(stage, journal):
        await wait_for(stage, "b", [1])

        async def two_parked() -> bool:
            return {key.key for key in await parking.list_parked(stage.worker, journal.name)} == {"d", "e"}

        await until(two_parked)
        reasons = {key.key: key.reason for key in await parking.list_parked(stage.worker, journal.name)}
        assert "reads up to" in reasons["e"]
        with pytest.raises(parking.StillRefused, match="cannot be read"):
            await parking.release(stage.worker, journal, "d")


async def test_trouble_of_the_database_is_waited_out_and_parks_nothing(stage: Stage, journal: Journal) -> None:
    journal.outage = [psycopg.OperationalError("going down"), OSError("no route"), psycopg.errors.DeadlockDetected()]
    await rename(stage, "a", "satu")
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1])
    assert journal.calls >= 4
    assert await parking.list_parked(stage.worker, journal.name) == []


async def test_a_stop_interrupts_waiting_for_the_database(stage: Stage, journal: Journal) -> None:
    journal.outage = [psycopg.OperationalError("down")] * 1000
    await rename(stage, "a", "satu")
    async with consuming(stage, journal):

        async def tried() -> bool:
            return journal.calls > 0

        await until(tried)
    assert await written(stage, "a") == []
    journal.outage = []
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1])


async def test_a_topic_made_anew_is_read_from_its_first_record(stage: Stage, journal: Journal) -> None:
    topic = f"{stage.prefix}.product"
    await rename(stage, "a", "satu", "dua", "tiga")
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1, 2, 3])
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.kafka.bootstrap)
    await admin.start()
    await admin.delete_topics([topic])

    async def made() -> bool:
        answer = await admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
        return all(error[1] == 0 for error in answer.topic_errors)

    await until(made)
    await admin.close()
    async with consuming(stage, journal):
        await rename(stage, "a", "empat")
        await wait_for(stage, "a", [1, 2, 3, 4])
    lost = stage.metrics.lost.labels(journal.name)._value.get()
    assert lost == 1


async def test_lag_and_highwater_are_measured(stage: Stage, journal: Journal) -> None:
    await rename(stage, "a", "satu", "dua")
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1, 2])

        async def measured() -> bool:
            rows = await stage.rows(
                "select sum(highwater), sum(next_offset), max(position) from consumer_offsets where consumer = %s",
                journal.name,
            )
            lags = [sample.value for metric in stage.metrics.lag.collect() for sample in metric.samples]
            return rows[0][:2] == (2, 2) and len(lags) == 12 and set(lags) == {0.0}

        await until(measured)
    assert next(iter(stage.metrics.lag.collect())).samples == []


async def test_a_database_put_back_to_an_earlier_state_is_noticed_without_a_new_record(
    stage: Stage, journal: Journal
) -> None:
    await rename(stage, "a", "satu", "dua")
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1, 2])
        async with stage.worker.connection() as connection, connection.transaction():
            await connection.execute("delete from journal")
            await connection.execute(
                "update consumer_offsets set next_offset = 0 where consumer = %s and next_offset > 0", (journal.name,)
            )
        await wait_for(stage, "a", [1, 2])


def test_the_watchdog_barks_only_when_records_wait_and_nothing_moves() -> None:
    dog = Watchdog(patience=10)
    here = Partition("t", 0)
    assert dog.observe(0, {here: 5}, {here: 9}) == frozenset()
    assert dog.observe(10, {here: 5}, {here: 9}) == frozenset()
    assert dog.observe(11, {here: 5}, {here: 9}) == {here}
    dog.forgive()
    assert dog.observe(12, {here: 5}, {here: 9}) == frozenset()
    assert dog.observe(20, {here: 6}, {here: 9}) == frozenset()
    assert dog.observe(29, {here: 6}, {here: 9}) == frozenset()
    assert dog.observe(31, {here: 6}, {here: 9}) == {here}
    assert dog.observe(99, {here: 9}, {here: 9}) == frozenset()
    assert dog.observe(120, {}, {}) == frozenset()


async def test_a_consumer_that_stands_still_is_restarted(stage: Stage, journal: Journal) -> None:
    journal.outage = [psycopg.OperationalError("stuck")] * 12
    await rename(stage, "a", "satu")
    async with consuming(stage, journal, stall_after=1.0):

        async def restarted() -> bool:
            return bool(stage.metrics.stalls.labels(journal.name)._value.get() > 0)

        await until(restarted)
        journal.outage.clear()
        await wait_for(stage, "a", [1])


HEADERS = [("a\0b", b"\xff"), ("empty", None), ("ce_id", b"\xff\xfe\0"), ("ce_id", b"\xfe\0"), ("plain", b"")]


async def test_whatever_bytes_a_record_has_it_is_parked_others_go_on_and_it_can_be_dropped(
    stage: Stage, journal: Journal
) -> None:
    keys = [b"nul\0key", b"\xff\xfe", b"\xed\xa0\x80", bytes(range(256)) * 20]
    for key in keys:
        await stage.send("product", key, b"\0\xff", HEADERS, partition=0)
    (fact,) = await stage.store("product-a", ProductRenamed(old="-", new="satu"))
    await stage.send("product", b"a", fact.data, cloudevents.headers_of(fact), partition=0)
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1])
    parked = await parking.list_parked(stage.worker, journal.name)
    assert [key.key for key in parked[:3]] == ["nul\\x00key", "\\xff\\xfe", "\\xed\\xa0\\x80"]
    for waiting, sent in zip(parked, keys, strict=True):
        async with stage.worker.connection() as connection:
            ((_, record),) = await parking.records_of(connection, journal.name, waiting.key)
        assert (record.key, record.value, list(record.headers)) == (sent, b"\0\xff", HEADERS)
        assert await parking.drop(stage.worker, journal.name, waiting.key, because="not ours", by="user:sari") == 1
    assert await stage.rows("select distinct event_id from consumer_dropped") == [("\\376\\000",)]


async def test_a_parked_record_with_strange_headers_is_released(stage: Stage, journal: Journal) -> None:
    (fact,) = await stage.store("product-a", ProductRenamed(old="-", new="satu"))
    journal.refuses = {"satu"}
    strange = [*cloudevents.headers_of(fact), ("ce_org\0", b"other"), ("trace", None)]
    await stage.send("product", b"nul\0key", fact.data, strange)
    async with consuming(stage, journal):

        async def is_parked() -> bool:
            return len(await parking.list_parked(stage.worker, journal.name)) == 1

        await until(is_parked)
    journal.refuses = set()
    assert await parking.release(stage.worker, journal, "nul\\x00key") == 1
    assert await written(stage, "a") == [1]


async def test_a_reason_that_is_no_text_for_postgresql_parks_the_record_all_the_same(
    stage: Stage, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: Any, __: Any) -> None:
        raise ValueError("nul \0 and half a pair \ud800")

    monkeypatch.setattr(journal, "apply", refuse)
    await rename(stage, "a", "satu")
    async with consuming(stage, journal):

        async def is_parked() -> bool:
            return len(await parking.list_parked(stage.worker, journal.name)) == 1

        await until(is_parked)
    (parked,) = await parking.list_parked(stage.worker, journal.name)
    assert parked.reason == "ValueError: nul \\x00 and half a pair \\ud800"


async def test_a_batch_that_fails_is_tried_again_after_longer_and_longer_pauses(
    stage: Stage, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[int] = []

    async def pause(_: Delivery, attempt: int) -> None:
        pauses.append(attempt)

    trouble = [LookupError("a mistake of ours")] * 6  # each batch meets it twice: applied, and to be parked
    looking = parking.parked_among

    async def stumbling(*arguments: Any) -> set[str]:
        if trouble:
            raise trouble.pop()
        return await looking(*arguments)

    monkeypatch.setattr(Delivery, "pause", pause)
    monkeypatch.setattr(parking, "parked_among", stumbling)
    await rename(stage, "a", "satu")
    async with consuming(stage, journal):
        await wait_for(stage, "a", [1])
    assert pauses == [1, 2, 3]


def test_long_keys_are_told_apart() -> None:
    first, second = (key_of(StoredRecord("t", 0, 0, b"k" * 9000 + end, None, [])) for end in (b"1", b"2"))
    assert first != second
    assert len(first) < 200
    assert key_of(StoredRecord("t", 0, 0, b"019a-product", None, [])) == "019a-product"
