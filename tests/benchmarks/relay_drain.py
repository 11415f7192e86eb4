"""How fast one relay drains a backlog, beside bare `send()` of the same records and beside other relays."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from infrastructure.collector import collect_rarely
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PRODUCT, create_or_check
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import Pool
from relay.loop import SHORTEST_NAP
from relay.metrics import RelayMetrics
from relay.publisher import Publisher, headers_of
from relay.relay import Relay
from relay.routing import topic_of
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.peers import debezium, debezium_jars, debezium_rows, faststream_outbox, txoutbox
from tests.benchmarks.peers.installed import missing, versions
from tests.benchmarks.peers.records import Record
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import BACKLOG, fill, scratch_database

ABOUT: Final = """
A backlog of events of about 300 bytes and fifteen headers, ten events to a product, drained by one relay in one process
until Kafka has acknowledged every record and no row is left. The control sends the same records, read and made before
the clock starts, with bare `send()` of the same client, and deletes nothing. txoutbox (order-preserving, 1,000 rows to
a claim, all of them published at once) and faststream-outbox (1,000 rows to a claim, deletes in hundreds) get the same
records in tables of their own and the same producer; both run far above their default settings. faststream-outbox keeps
the order of a key with one worker only; the figure with 16 shows what it does without. Peers that are not done after
some seconds are stopped and rated by what they had published and deleted. Debezium (its outbox event router on Kafka
Connect, a Java process with 768 MB) gets the same records with the same headers as rows of its own table, with larger
batches than its defaults, and is warm; it deletes nothing and stores no event, ours does both. Its backlog is made
while nobody reads its slot, and timed from when the slot is read again. Its process sleeps in the turns of others. Of
rows that are inserted meanwhile, a thousand to a transaction, the time runs from the first insert. PostgreSQL has
wal_level=logical for all contenders; there is a slot only in Debezium's own turns.
"""
BARE_SEND: Final = "bare send()"
PRODUCER: Final[dict[str, Any]] = {"enable_idempotence": True, "max_batch_size": 512 * 1024}


class Plan(NamedTuple):
    backlogs: tuple[int, ...]
    rounds: tuple[int, ...]
    peers_seconds: float
    debezium_warm_up: int
    """Rows: Java compiles what it has run often."""


PLANS: Final = {
    Size.SMALL: Plan((2_000,), (2,), 2.0, 2_000),
    Size.FULL: Plan((10_000, 100_000), (5, 3), 10.0, 60_000),
    Size.LARGE: Plan((10_000, 100_000, 1_000_000), (5, 3, 1), 60.0, 60_000),
}


async def measure(size: Size, progress: Progress) -> Part:
    """Backlogs of 10,000 to 1,000,000 rows."""
    plan = PLANS[size]
    found = Part(name="relay", title="Relay drain", about=ABOUT)
    found.notes += [note for note in missing() if "outbox" in note]
    found.notes += filter(None, [debezium_jars.why_missing()])
    progress.steps = sum(plan.rounds) + 1
    collect_rarely()
    with servers() as address:
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with scratch_database(address.database_url) as (url, pool), AsyncExitStack() as stack:
            progress.step("warm-up")
            connect = None
            if debezium_jars.why_missing() is None:
                connect = await stack.enter_async_context(debezium.kafka_connect(kafka))
            await warm_up(url, pool, kafka, connect, plan.debezium_warm_up)
            for backlog, rounds in zip(plan.backlogs, plan.rounds, strict=True):
                waiting_rows = Comparison(title=f"{backlog:,} rows", unit="records/s", control=BARE_SEND)
                meanwhile = Comparison(
                    title=f"{backlog:,} rows, inserted meanwhile", unit="records/s", control=BARE_SEND
                )
                for number in range(rounds):
                    progress.step(f"{backlog:,} rows, round {number + 1} of {rounds}")
                    of_backlog, of_inserted = await one_round(url, pool, kafka, connect, backlog, plan.peers_seconds)
                    waiting_rows.add_round(of_backlog)
                    meanwhile.add_round(of_inserted)
                found.comparisons += [waiting_rows, meanwhile]
    return found


async def warm_up(url: str, pool: Pool, kafka: KafkaSettings, connect: debezium.Connect | None, rows: int) -> None:
    """Topics and statements, and what Java compiles."""
    fill(url, 1_000)
    await drain(pool, kafka, 1_000)
    if connect is not None:
        fill(url, rows)
        debezium_rows.make_ready(url, await waiting(pool))
        await drain(pool, kafka, rows)
        async with debezium.routing(connect, url) as router:
            await debezium.drain_while_inserted(router, kafka, rows, 60.0)


async def one_round(
    url: str, pool: Pool, kafka: KafkaSettings, connect: debezium.Connect | None, backlog: int, limit: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Of rows that wait, and of rows that are inserted meanwhile."""
    fill(url, backlog)
    records = await waiting(pool)
    there = versions()
    leave_nothing_behind(url)
    bare = backlog / await send_each(records, kafka)
    found, inserted = {BARE_SEND: bare}, {BARE_SEND: bare}
    if "txoutbox" in there:
        await txoutbox.fill(url, records)
        leave_nothing_behind(url)
        found["txoutbox"] = await txoutbox.drain(url, kafka, PRODUCER, limit)
    if "faststream-outbox" in there:
        for workers in (1, 16):
            await faststream_outbox.fill(url, records)
            leave_nothing_behind(url)
            name = f"faststream-outbox, {workers} worker{'s' if workers > 1 else ''}"
            found[name] = await faststream_outbox.drain(url, kafka, PRODUCER, limit, topic=PRODUCT, workers=workers)
    if connect is not None:
        debezium_rows.make_ready(url, records)
        leave_nothing_behind(url)
        async with debezium.routing(connect, url) as router:
            found[debezium.NAME] = await debezium.drain_backlog(router, kafka, backlog, limit)
        leave_nothing_behind(url)
        async with debezium.routing(connect, url) as router:
            inserted[debezium.NAME] = await debezium.drain_while_inserted(router, kafka, backlog, limit)
    records.clear()
    leave_nothing_behind(url)
    ours = backlog / await drain(pool, kafka, backlog)
    leave_nothing_behind(url)
    ours_inserted = backlog / await drain(pool, kafka, backlog, inserted_into=url)
    return {OURS: ours} | found, {OURS: ours_inserted} | inserted


def leave_nothing_behind(url: str) -> None:
    """Before each turn: pages that others have written are on the disk, and objects of others are nobody's burden."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("checkpoint")
    gc.unfreeze()
    gc.collect()
    gc.freeze()


async def drain(pool: Pool, kafka: KafkaSettings, events: int, *, inserted_into: str | None = None) -> float:
    """Seconds for events that are there, or for as many that are inserted meanwhile, into the database so addressed."""
    owner = f"bench-{uuid4().hex}"
    leases = Leases(pool, owner, ttl=600)
    held = await leases.claim(SHARDS)
    publisher = Publisher(kafka)
    await publisher.producer.open()
    relay = Relay(Outbox(pool, owner), publisher, RelayMetrics(CollectorRegistry()))
    began = time.perf_counter()
    inserting = asyncio.create_task(asyncio.to_thread(insert, inserted_into, events)) if inserted_into else None
    done = 0
    while done < events:
        passed = await relay.one_pass(held, patience=60)
        done += passed
        if not passed:
            await asyncio.sleep(SHORTEST_NAP)
    await relay.settled()
    took = time.perf_counter() - began
    if inserting:
        await inserting
    await publisher.producer.abandon()
    await leases.release(held)
    return took


def insert(url: str, events: int) -> None:
    """A thousand events to a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(0, events, 1_000):
            connection.execute(BACKLOG, {"keys": 100, "salt": uuid4().hex})


async def waiting(pool: Pool) -> list[Record]:
    """What is in the outbox, read and made; the database is left as it is."""
    records, low = [], 0
    outbox = Outbox(pool, "nobody")
    while rows := await outbox.pending(low=low, shards=range(SHARDS), under_way=(), limit=50_000):
        for row in rows:
            topic = topic_of(row.stream_id)
            assert topic is not None
            records.append(Record(topic, row.partition_key, row.data, headers_of(row)))
        low = rows[-1].position
    return records


async def send_each(records: list[Record], kafka: KafkaSettings) -> float:
    producer = AIOKafkaProducer(**kafka.client_options(), **PRODUCER)
    await producer.start()
    began = time.perf_counter()
    sent = [await producer.send(one.topic, one.value, one.key, headers=one.headers) for one in records]
    await asyncio.gather(*sent)
    took = time.perf_counter() - began
    await producer.stop()
    return took


if __name__ == "__main__":
    part.run("relay", measure, knows_large=True)
