"""What an event costs the database from its append until Kafka has it, in counts that no machine changes."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Final

from domain import events
from domain.messages import Append, NewEvent
from domain.product.events import ProductRenamed
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.pool import APP, open_pool
from tests.relay.ground import Ground, relaying, until

CALLERS: Final = 32
TURNS: Final = 50
EVENTS: Final = CALLERS * TURNS
COUNTS: Final = """
select relname, n_tup_ins, n_tup_upd, n_tup_upd - n_tup_hot_upd, n_tup_del
from pg_stat_user_tables where relname = any (%s)
"""


async def test_an_event_is_written_once_and_leaves_one_dead_row(ground: Ground) -> None:
    begun = await written(ground)
    async with open_pool(ground.url, role=APP, name="tests", max_size=2) as pool:
        store = PostgresEventStore(pool)

        async def caller(number: int) -> None:
            for turn in range(TURNS):
                await store.append(ground.org, renamed(number, turn))

        await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    async with relaying(ground):
        await ground.emptied()
    bytes_each = (await written(ground) - begun) / EVENTS

    async def told() -> bool:
        return (await counts(ground))["outbox"][3] == EVENTS

    await until(told)  # sessions tell what they have done when they end
    found = await counts(ground)
    assert (found["events"], found["outbox"]) == ((EVENTS, 0, 0, 0), (EVENTS, 0, 0, EVENTS))
    inserted, updated, not_in_place, deleted = found["streams"]
    assert (inserted, updated, deleted) == (CALLERS, EVENTS - CALLERS, 0)
    # A page whose old versions somebody may still see, such as a vacuum, is full at once and its rows have to move.
    assert not_in_place <= EVENTS / 20
    assert bytes_each < 2_000  # of which some 330 are the event; about 900 where pages need not be logged whole


def renamed(number: int, turn: int) -> Append:
    type_, schema, data = events.encode(ProductRenamed(old=f"Kemeja Batik {turn}", new=f"Kemeja Batik {turn + 1}"))
    new = NewEvent(
        event_id=uuid.uuid4(),
        type=type_,
        schema=schema,
        data=data,
        occurred_at=datetime.now(UTC),
        actor="user:rina",
        correlation_id=uuid.uuid4(),
    )
    return Append(stream_id=f"product-{number}", partition_key=str(number), expected_version=turn, events=(new,))


async def counts(ground: Ground) -> dict[str, tuple[int, ...]]:
    """By table: rows inserted, updated, updated with changes to indexes, deleted."""
    return {name: tuple(row) for name, *row in await ground.rows(COUNTS, ["events", "streams", "outbox"])}


async def written(ground: Ground) -> int:
    """Bytes of the log since the beginning of time."""
    ((count,),) = await ground.rows("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
    return int(count)
