"""How fast one relay drains a backlog, beside bare `send()` of the same records and beside other relays."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import psycopg

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import create_or_check
from infrastructure.postgres.pool import Pool
from tests.benchmarks import part
from tests.benchmarks.figures import LOWER, OURS, Comparison, Part
from tests.benchmarks.part import Size, alone, servers
from tests.benchmarks.peers import debezium, debezium_jars, debezium_rows
from tests.benchmarks.peers.installed import missing, versions
from tests.benchmarks.processors import Turn
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import fill, scratch_database
from tests.benchmarks.relay_turns import (
    calm,
    drain,
    of_client,
    of_faststream_outbox,
    of_txoutbox,
    ours,
    send_batches,
    send_each,
    waiting,
)

ABOUT: Final = """
A backlog of events of about 300 bytes and fifteen headers, ten events to a product, drained by one relay in one
process until Kafka has acknowledged every record and no row is left. Each contender has its turns in processes of its
own. The control sends the same records, read and made before the clock starts, with bare `send()` of the same client,
and deletes nothing. Another makes batches of them, as our relay does, and sends these: no relay that uses this client
can do less. Processor time is of all processes together: what a record takes of it, divided by the processors there
are, is the least time it can take here. txoutbox (order-preserving, 1,000 rows to a claim, all of them published at
once) and faststream-outbox (1,000 rows to a claim, deletes in hundreds) get the same records in tables of their own
and the same producer; both run far above their default settings. faststream-outbox keeps the order of a key with one
worker only; the figure with 16 shows what it does without. Peers that are not done after some seconds are stopped and
rated by what they had published and deleted. Debezium (its outbox event router on Kafka Connect, a Java process with
768 MB) gets the same records with the same headers as rows of its own table, with larger batches than its defaults,
and is warm; it deletes nothing and stores no event, ours does both. Its backlog is made while nobody reads its slot,
and timed from when the slot is read again. Its process sleeps in the turns of others. Of rows that are inserted
meanwhile, a thousand to a transaction, the time runs from the first insert; what no relay can be faster than is how
fast they are inserted when there is none. PostgreSQL has wal_level=logical for all contenders; there is a slot only in
Debezium's own turns.
"""
BARE_SEND: Final = "bare send()"
BATCHES: Final = "batches made and sent, no database"
INSERTING: Final = "inserting alone, no relay"


class Drained(NamedTuple):
    waiting: Turn
    meanwhile: float
    """Records per second."""


class Round(NamedTuple):
    """By contender: records per second, and processor time for a record that waits, of all processes together."""

    waiting: dict[str, float]
    meanwhile: dict[str, float]
    microseconds: dict[str, float]


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
                cost = Comparison(
                    title=f"processor time of a record, {backlog:,} rows", unit="µs", control=BARE_SEND, better=LOWER
                )
                for number in range(rounds):
                    progress.step(f"{backlog:,} rows, round {number + 1} of {rounds}")
                    done = await one_round(url, pool, kafka, connect, backlog, plan.peers_seconds)
                    waiting_rows.add_round(done.waiting)
                    meanwhile.add_round(done.meanwhile)
                    cost.add_round(done.microseconds)
                found.comparisons += [waiting_rows, meanwhile, cost]
            found.notes += connect.notes if connect is not None else []
    return found


async def warm_up(url: str, pool: Pool, kafka: KafkaSettings, connect: debezium.Connect | None, rows: int) -> None:
    """Topics, and what Java compiles."""
    fill(url, rows)
    await drain_with_debezium(url, pool, kafka, connect, rows, 60.0)
    await drain(pool, kafka, rows)


async def one_round(
    url: str, pool: Pool, kafka: KafkaSettings, connect: debezium.Connect | None, backlog: int, limit: float
) -> Round:
    """Of rows that wait, and of rows that are inserted meanwhile."""
    fill(url, backlog)
    there = versions()
    bare = await alone(of_client, url, kafka, send_each)
    batches = await alone(of_client, url, kafka, send_batches)
    found, inserted = {BARE_SEND: bare.per_second, BATCHES: batches.per_second}, {BARE_SEND: bare.per_second}
    seconds = {BARE_SEND: bare.processor_seconds, BATCHES: batches.processor_seconds}
    if "txoutbox" in there:
        found["txoutbox"] = await alone(of_txoutbox, url, kafka, limit)
    if "faststream-outbox" in there:
        for workers in (1, 16):
            name = f"faststream-outbox, {workers} worker{'s' if workers > 1 else ''}"
            found[name] = await alone(of_faststream_outbox, url, kafka, limit, workers)
    of_debezium = await drain_with_debezium(url, pool, kafka, connect, backlog, limit)
    if of_debezium is not None:
        found[debezium.NAME], inserted[debezium.NAME] = of_debezium.waiting.per_second, of_debezium.meanwhile
        seconds[debezium.NAME] = of_debezium.waiting.processor_seconds
    empty(url)
    of_ours = await alone(ours, url, kafka, backlog)
    empty(url)
    inserted[INSERTING] = of_ours.inserting_alone
    return Round(
        {OURS: of_ours.waiting.per_second} | found,
        {OURS: of_ours.inserted_meanwhile} | inserted,
        {who: spent / backlog * 1e6 for who, spent in ({OURS: of_ours.waiting.processor_seconds} | seconds).items()},
    )


def empty(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("truncate outbox")


async def drain_with_debezium(
    url: str, pool: Pool, kafka: KafkaSettings, connect: debezium.Connect | None, rows: int, limit: float
) -> Drained | None:
    """What is in the outbox, which is left as it is, as rows of its own; None where its jars are not there."""
    if connect is None:
        return None
    debezium_rows.make_ready(url, await waiting(pool))
    calm(url)
    async with debezium.routing(connect, url) as router:
        backlog = await debezium.drain_backlog(router, kafka, rows, limit)
    calm(url)
    async with debezium.routing(connect, url) as router:
        return Drained(backlog, await debezium.drain_while_inserted(router, kafka, rows, limit))


if __name__ == "__main__":
    part.run("relay", measure, knows_large=True)
