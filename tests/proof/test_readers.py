"""The checker is only worth what it finds: relays of shapes known to be wrong, each caught, and by its name."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from infrastructure.kafka.topics import PRODUCT
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from services.verification import store
from services.verification.findings import Check, Kind
from services.verification.history import Bounds, History, Seen
from tests.proof.interleavings import (
    INTERLEAVINGS,
    Stage,
    a_commit_between_sending_and_noting,
    a_death_while_sending,
    a_late_commit,
    an_early_transaction_id,
    an_older_transaction_appends_later,
    several_batches_of_one_stream,
)
from tests.proof.journal import Acknowledged, judge, look_up
from tests.proof.readers import (
    PARTITIONS,
    BatchWithoutPartition,
    CursorPlusXmin,
    DeleteBeforeAcknowledgement,
    DeleteByRange,
    Ours,
    PositionCursor,
    Reader,
    Topic,
    XidThenPosition,
)
from tests.support.backlog import Fact
from tests.support.backlog import store as store_facts

Interleaving = Callable[[Stage], Awaitable[None]]


@pytest.fixture
async def one_connection(database_url: str) -> AsyncIterator[Pool]:
    """So that what a reader notes in a temporary table stays with it."""
    async with open_pool(database_url, role=None, name="tests-reader", max_size=2) as pool:
        yield pool


async def judged(url: str, topic: Topic, *, has_outbox: bool = True, shown: int = 0) -> Counter[Kind]:
    """What the same judgement says of this topic that `syncstore verify` brings to Kafka's."""
    history = History(Check(name="topics", compared=""), Check(name="views", compared=""))
    async with store.connected(url, WORKER) as connection:
        async with store.one_snapshot(connection):
            await store.read_events(connection, history, lambda _: None)
            if has_outbox:
                await store.read_outbox(connection, history)
            if shown:
                for position in range(1, history.cut + 1):
                    history.hidden.add(position)
        events = {event.position: event for event in await store.describe(connection, range(1, history.cut + 1))}
        for number, sent in enumerate(topic.partitions):
            reader = history.partition(Bounds(PRODUCT, number, PARTITIONS, 0, len(sent), shown))
            for offset, position in enumerate(sent):
                event = events[position]
                reader.take(
                    Seen(
                        offset,
                        position,
                        event.stream,
                        event.version,
                        event.event_id,
                        event.key,
                        history.digest(position),
                    ),
                    event.recorded_ms,
                )
        for event in await store.describe(connection, list(history.missing())):
            history.judge(event)
        for fate in await store.fates(connection, history.gaps):
            history.judge_gap(fate)
    return Counter(history.check.violations) + Counter(history.views.violations)


@pytest.mark.parametrize(
    ("shape", "interleaving", "kind"),
    [
        (PositionCursor, a_late_commit, Kind.LOST),
        (CursorPlusXmin, an_early_transaction_id, Kind.LOST),
        (XidThenPosition, an_older_transaction_appends_later, Kind.REORDERED),
        (DeleteByRange, a_commit_between_sending_and_noting, Kind.LOST),
        (BatchWithoutPartition, several_batches_of_one_stream, Kind.SCATTERED),
        (DeleteBeforeAcknowledgement, a_death_while_sending, Kind.LOST),
    ],
    ids=lambda given: getattr(given, "name", None) or getattr(given, "__name__", None) or str(given),
)
async def test_a_wrong_shape_is_caught_by_name(
    database_url: str, one_connection: Pool, shape: type[Reader], interleaving: Interleaving, kind: Kind
) -> None:
    topic = Topic()
    async with asyncio.timeout(30):
        await interleaving(Stage(database_url, lambda: shape(one_connection, topic), topic))
        found = await judged(database_url, topic, has_outbox=shape.has_outbox)
    assert set(found) == {kind}


@pytest.mark.parametrize("interleaving", INTERLEAVINGS, ids=lambda one: one.__name__)
async def test_our_relay_comes_through_all_of_it(
    database_url: str, worker_pool: Pool, interleaving: Interleaving
) -> None:
    topic = Topic()
    async with asyncio.timeout(30):
        await interleaving(Stage(database_url, lambda: Ours(worker_pool, topic), topic))
        assert await judged(database_url, topic) == {}
    sent = [position for partition in topic.partitions for position in partition]
    assert len(sent) == len(set(sent)) > 0


async def test_an_offset_moved_before_its_effect_was_committed_is_caught(database_url: str, worker_pool: Pool) -> None:
    """A consumer that acknowledges first, and whose transaction is then rolled back."""
    topic = Topic()
    stage = Stage(database_url, lambda: Ours(worker_pool, topic), topic)
    await stage.committed(Fact("a", 1))
    await stage.read()
    assert await judged(database_url, topic, shown=1) == {Kind.SKIPPED: 1}


async def test_an_answer_given_before_its_transaction_was_committed_is_caught(database_url: str) -> None:
    """An API that acknowledges first."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        (position,) = await store_facts(connection, [Fact("a", 1)])
        await connection.rollback()
        promise = Acknowledged("key", position, 1, "1")
        (wrong,) = judge(await look_up(connection, [promise]))
    assert wrong.startswith("acknowledged and lost")
