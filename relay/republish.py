"""Events put into their topics once more, marked as replayed: for a topic that was deleted, or a consumer that asks.

In order per key among themselves. Into a topic that is empty they belong before anything new, so relays must stand
still then; commands are accepted meanwhile and wait in the outbox. Consumers read such a topic from its first record
on: where they stood was in another topic of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

import structlog

from domain.errors import SyncStoreError
from infrastructure.kafka import offsets
from infrastructure.kafka.client import KafkaSettings, reaching
from infrastructure.kafka.cloudevents import REPLAY
from infrastructure.kafka.replay import Replay
from infrastructure.kafka.topics import BY_CATEGORY
from infrastructure.outbox import published
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.published import Selection
from infrastructure.outbox.reader import Pending
from infrastructure.postgres.pool import Pool
from relay.producer import AWAY
from relay.publisher import Published, Publisher

PATIENCE_SECONDS: Final = 60.0
"""For the acknowledgements of one batch."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class RelaysRunning(SyncStoreError):
    """An empty topic would get new events before old ones."""


class RepublishStopped(SyncStoreError):
    """Kafka did not take a batch; the message says where to go on."""


async def republish(
    pool: Pool, kafka: KafkaSettings, selection: Selection, progress: Callable[[int, int], None] = lambda *_: None
) -> int:
    """How many events were sent; `progress` hears how many of how many. `pool` works as the worker role.

    Raises RelaysRunning, RepublishStopped, TopicMissing, KafkaUnavailable.
    """
    with reaching(kafka):
        empty = await _empty_topics(kafka, selection)
    if empty:
        await _refuse_to_overtake(pool, empty)
        async with pool.connection() as connection:
            await offsets.start_over(connection, empty)
    total, sent = await published.count(pool, selection), 0
    publisher = Publisher(kafka, marks=[REPLAY])
    await publisher.producer.open()
    try:
        async with aclosing(published.read(pool, selection)) as batches:
            async for rows in batches:
                await _send(publisher, rows)
                sent += len(rows)
                progress(sent, total)
    finally:
        await publisher.abandon()
    log.info("events_republished", events=sent)
    return sent


async def _empty_topics(kafka: KafkaSettings, selection: Selection) -> list[str]:
    """Of those that are to be sent to."""
    wanted = [topic for category, topic in BY_CATEGORY.items() if category in (selection.categories or BY_CATEGORY)]
    async with Replay(kafka, wanted) as replay:
        ends = await replay.ends()
    return [topic for topic in wanted if not any(end for one, end in ends.items() if one.topic == topic)]


async def _refuse_to_overtake(pool: Pool, empty: Sequence[str]) -> None:
    if not await Leases(pool, "").owners():
        return
    behind = [
        topic
        for category, topic in BY_CATEGORY.items()
        if topic in empty and await published.count(pool, Selection(categories=(category,)))
    ]
    if behind:
        raise RelaysRunning(
            f"{', '.join(behind)} holds nothing yet, and relays are running: stop them, so that nothing new goes "
            "before what is old, republish, and start them again; commands wait in the outbox meanwhile"
        )


async def _send(publisher: Publisher, rows: Sequence[Pending]) -> None:
    try:
        done = await publisher.publish(await publisher.prepare(rows), patience=PATIENCE_SECONDS)
    except AWAY as error:
        done = Published(failure=error)
    if done.refused:
        row, reason = done.refused[0]
        raise RepublishStopped(
            f"Kafka refuses event {row.event_id.decode()} at position {row.position}: {reason}; all before it are "
            f"sent, go on with --from-position {row.position + 1} if it shall be left out"
        )
    if done.failure is not None:
        raise RepublishStopped(
            f"Kafka stopped taking events ({type(done.failure).__name__}); go on with --from-position "
            f"{rows[0].position}: what is sent twice is known by its event id"
        ) from done.failure
