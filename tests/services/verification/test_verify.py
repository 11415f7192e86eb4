"""`syncstore verify` on a real event store, outbox, broker and views, sound and then not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from click.testing import CliRunner, Result

from domain.messages import RecordedEvent
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka import cloudevents
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.partitions import partition_of
from infrastructure.kafka.replay import Replay
from infrastructure.kafka.topics import PARTITIONS, PRODUCT, create_or_check
from infrastructure.local_stack.stack import LocalStack, Part
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.published import Selection
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import APP, WORKER, Pool, open_pool
from projections.fill import Source
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections
from relay.loop import run_relay
from relay.republish import RelaysRunning, republish
from services.cli.main import main
from services.verification.findings import Kind, Report
from services.verification.verify import verify
from tests.plugins.local_stack import JARS, dispose, owned_folder
from tests.support.installation import create, empty_topics, rename, until

ORG = "toko-batik"
DEADLINE = 60
PROMISED = """
insert into idempotency_keys (org_id, key, fingerprint, response, stream_id, version, events)
select org_id, {}, '', '', stream_id, {}, 1 from {}
"""


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[str]:
    """Topics that hold what one database says, and nothing else."""
    folder = owned_folder()
    yield LocalStack(folder, durable=False, jars=JARS).up([Part.KAFKA]).kafka_bootstrap
    dispose(folder)


@dataclass
class Installation:
    url: str
    kafka: KafkaSettings
    app: Pool
    worker: Pool

    async def write(self, products: int, versions: int = 3) -> None:
        store = PostgresEventStore(self.app)
        for number in range(products):
            product = await create(store, ORG, f"SKU-{number}")
            for version in range(1, versions):
                await rename(store, ORG, product, version, f"name {version}")

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        relaying = asyncio.create_task(run_relay(self.worker, self.kafka, stop, owner="tests"))
        projecting = asyncio.create_task(Consumer(Projections(VIEWS), self.worker, self.kafka).run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(relaying, projecting)

    async def settle(self) -> None:
        """Everything is in the topics and in the views."""
        async with self.working():
            await until(self._is_settled, DEADLINE)

    async def _is_settled(self) -> bool:
        return await self.holds(
            "select (select count(*) from outbox) = 0 and (select count(*) from events) = "
            "(select count(*) from projections.history)"
        )

    async def holds(self, statement: str) -> bool:
        async with self.worker.connection() as connection:
            row = await (await connection.execute(statement)).fetchone()
        assert row is not None
        return bool(row[0])

    async def verify(self) -> Report:
        return await verify(Source(self.url, WORKER), self.kafka)

    def tamper(self, statement: str) -> None:
        """As nobody may: the owner, past row-level security."""
        with psycopg.connect(self.url) as connection:
            connection.execute("set row_security = off")
            assert connection.execute(statement).rowcount > 0


@pytest.fixture
async def installation(database_url: str, own_kafka: str) -> AsyncIterator[Installation]:
    kafka = KafkaSettings(bootstrap=own_kafka)
    async with (
        asyncio.timeout(2 * DEADLINE),
        open_pool(database_url, role=APP, name="tests-app") as app,
        open_pool(database_url, role=WORKER, name="tests-worker") as worker,
    ):
        await empty_topics(kafka)
        await create_or_check(kafka)
        await build_missing(VIEWS, Source(database_url, WORKER), worker, kafka)
        yield Installation(database_url, kafka, app, worker)


async def test_a_working_installation_is_sound(installation: Installation) -> None:
    await installation.write(20)
    await installation.settle()
    report = await installation.verify()
    assert report.violations == {}
    assert {check.name: check.count for check in report.checks} == {
        "event store": 20,
        "answers": 0,
        "topics": 60,
        "views": 60,
        "view catalogue": 20,
        "view history": 60,
        "view listing_status": 0,
        "view conflicts": 0,
        "listings": 0,
        "set aside": 0,
    }


async def test_what_is_written_and_published_meanwhile_raises_no_alarm(installation: Installation) -> None:
    async with installation.working():
        writing = asyncio.create_task(installation.write(150))
        while not writing.done():
            assert (await installation.verify()).violations == {}
        await writing


async def test_what_waits_in_the_outbox_is_not_missed(installation: Installation) -> None:
    await installation.write(3)
    report = await installation.verify()
    assert report.is_sound
    assert any(note.startswith("9 events waited in the outbox") for check in report.checks for note in check.notes)


async def test_what_is_wrong_in_the_database_is_told_by_name(installation: Installation) -> None:
    await installation.write(3)
    known: set[Kind] = set()
    for tampering, kind in (
        ("insert into outbox (position, shard) values (100000, 0)", Kind.ORPHAN),
        ("delete from outbox where position = (select min(position) from outbox)", Kind.LOST),
        ("update events set event_id = '01901c1e-0000-7000-8000-000000000000' where version = 2", Kind.TWIN),
        (PROMISED.format("'k'", 9, "streams limit 1"), Kind.UNKEPT),
        (PROMISED.format("'k' || n", 2, "generate_series(1, 2) n, (select * from streams limit 1) s"), Kind.DONE_TWICE),
        ("update events set position = position + 1000 where version = 2", Kind.UNORDERED),
        ("delete from events where version = 2", Kind.GAP),
    ):
        assert kind not in known
        installation.tamper(tampering)
        known = set((await installation.verify()).violations)
        assert kind in known, tampering


async def test_what_is_wrong_in_the_views_or_against_the_topics_is_told_by_name(installation: Installation) -> None:
    await installation.write(3)
    await installation.settle()
    for tampering, kind in (
        ("delete from projections.history_1 where version = 2", Kind.SKIPPED),
        ("update projections.catalogue_1 set name = 'another'", Kind.DIFFERENT),
        ("update projections.catalogue_1 set version = version + 1", Kind.INVENTED),
        ('update events set data = \'{"old":"","new":"another"}\' where version = 2', Kind.ALTERED),
    ):
        assert kind not in (await installation.verify()).violations
        installation.tamper(tampering)
        assert kind in (await installation.verify()).violations, tampering


async def test_keys_that_wait_for_a_person_are_told_with_the_reason(installation: Installation) -> None:
    await installation.write(1)
    await installation.settle()
    event = await _first_event(installation)
    async with AIOKafkaProducer(**installation.kafka.client_options()) as producer:
        await producer.send_and_wait(PRODUCT, b"{", event.partition_key.encode(), headers=[("ce_id", b"x")])
    async with installation.working():
        await until(lambda: installation.holds("select count(*) = 1 from consumer_parked"), DEADLINE)
    installation.tamper(
        "insert into outbox_parked (position, partition_key, reason) "
        "select position, 'p-large', 'larger than the topic takes' from events where version = 1"
    )
    report = await installation.verify()
    assert report.violations == {Kind.UNREADABLE: 1, Kind.SET_ASIDE: 2}
    (aside,) = (check for check in report.checks if check.name == "set aside")
    assert [(one.stream, one.detail.partition(":")[0]) for one in aside.examples] == [
        (f"key {event.partition_key}", "1 set aside by projections"),
        ("key p-large", "1 set aside by relay"),
    ]
    assert "larger than the topic takes" in str(aside.examples[1])


async def test_records_of_no_event_and_records_that_are_none_are_told(installation: Installation) -> None:
    await installation.write(1)
    await installation.settle()
    event = await _first_event(installation)
    invented = RecordedEvent(**{**_fields(event), "position": 100_000, "version": 9})
    key = event.partition_key.encode()
    async with AIOKafkaProducer(**installation.kafka.client_options()) as producer:
        home = partition_of(key, PARTITIONS)
        headers = cloudevents.headers_of(invented)
        await producer.send_and_wait(PRODUCT, invented.data, key, headers=headers, partition=home)
        await producer.send_and_wait(PRODUCT, b"{", b"poison-x", headers=[], partition=0)
        other = (home + 1) % PARTITIONS
        await producer.send_and_wait(PRODUCT, event.data, key, headers=cloudevents.headers_of(event), partition=other)
    assert (await installation.verify()).violations == {Kind.PHANTOM: 1, Kind.UNREADABLE: 1, Kind.SCATTERED: 1}


async def test_a_topic_trimmed_by_retention_is_told_as_such_and_not_as_loss(installation: Installation) -> None:
    await installation.write(20)
    await installation.settle()
    async with Replay(installation.kafka, [PRODUCT]) as replay:
        ends = await replay.ends()
    admin = AIOKafkaAdminClient(**installation.kafka.client_options())
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(*one): RecordsToDelete(min(end, 2)) for one, end in ends.items()})
    finally:
        await admin.close()
    report = await installation.verify()
    assert report.is_sound
    assert any("retention has taken the rest" in note for check in report.checks for note in check.notes)
    assert any("events expired in their topics" in note for check in report.checks for note in check.notes)


async def test_a_topic_that_was_deleted_is_fed_again_from_the_event_store(installation: Installation) -> None:
    await installation.write(20)
    await installation.settle()
    await empty_topics(installation.kafka)
    await create_or_check(installation.kafka)
    assert (await installation.verify()).violations[Kind.LOST] == 60
    await Leases(installation.worker, "a relay").claim(1)
    everything = Selection(from_position=0)
    with pytest.raises(RelaysRunning, match=r"syncstore.product holds nothing yet, and relays are running"):
        await republish(installation.worker, installation.kafka, everything)
    await Leases(installation.worker, "a relay").release(range(SHARDS))
    assert not await installation.holds("select max(next_offset) = 0 from consumer_offsets")
    assert await republish(installation.worker, installation.kafka, everything) == 60
    assert await installation.holds("select max(next_offset) = 0 from consumer_offsets")
    report = await installation.verify()
    assert report.violations == {}
    assert any("60 records, 0 repeated, 0 replayed" in note for check in report.checks for note in check.notes)


async def test_the_command_tells_people_programs_and_shells(installation: Installation) -> None:
    await installation.write(3)
    await installation.settle()

    def syncstore(*words: str) -> Result:
        variables = {
            "SYNCSTORE_DATABASE_URL": installation.url,
            "SYNCSTORE_KAFKA_BOOTSTRAP": installation.kafka.bootstrap,
            "SYNCSTORE_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
        }
        return CliRunner().invoke(main, words, env=variables, catch_exceptions=False)

    sound = await asyncio.to_thread(syncstore, "verify")
    assert sound.exit_code == 0, sound.output
    assert sound.stdout.endswith("nothing is missing\n")
    installation.tamper("delete from projections.history_1 where version = 2")
    wrong = await asyncio.to_thread(syncstore, "verify")
    assert wrong.exit_code == 1
    assert "WRONG views" in wrong.stdout
    assert "skipped: toko-batik/product-" in wrong.stdout
    report = json.loads((await asyncio.to_thread(syncstore, "verify", "--json")).stdout)
    (views,) = (check for check in report["checks"] if check["name"] == "views")
    assert views["violations"] == {"skipped": 3}


async def _first_event(installation: Installation) -> RecordedEvent:
    store = PostgresEventStore(installation.app)
    (stream,) = await store.streams_of(ORG, "product")
    return (await store.read_stream(ORG, stream))[0]


def _fields(event: RecordedEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}
