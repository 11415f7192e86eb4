"""What a verification reads of PostgreSQL. The cut is one snapshot; later looks are told apart from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from psycopg import AsyncConnection, IsolationLevel

from infrastructure.kafka.offsets import Partition, load_offsets
from infrastructure.kafka.topics import BY_CATEGORY
from infrastructure.postgres import statements
from infrastructure.postgres.pool import connection_arguments
from projections.history.projector import HISTORY
from projections.listing_status.projector import LISTING_STATUS
from projections.runner import LIVE
from services.verification.findings import SHOWN, Check, Kind, Violation
from services.verification.history import Fate, Gap, History, Stored, digest_of

SQL: Final = statements.load(Path(__file__).with_suffix(".sql"))
BATCH: Final = 5_000

Connection = AsyncConnection[Any]


@asynccontextmanager
async def connected(url: str, role: str | None) -> AsyncIterator[Connection]:
    """Reads only, for as long as it takes."""
    connection = await AsyncConnection.connect(url, **connection_arguments(role=role, name="syncstore-verify"))
    async with connection:
        await connection.execute("set statement_timeout = 0")
        await connection.execute("set idle_in_transaction_session_timeout = 0")
        # Cursors are read to their end: a plan for the first rows alone would look for what is not there row by row.
        await connection.execute("set cursor_tuple_fraction = 1")
        yield connection


@asynccontextmanager
async def one_snapshot(connection: Connection) -> AsyncIterator[None]:
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)
    try:
        async with connection.transaction():
            yield
    finally:
        await connection.set_isolation_level(None)
        await connection.set_read_only(None)


async def given_out(connection: Connection) -> tuple[int, str]:
    """How far positions go, and the time."""
    ((position, now),) = await _rows(connection, "cut")
    return position, now


async def read_events(connection: Connection, history: History, told: Callable[[int], None]) -> None:
    """`told` hears the position reached."""
    async with connection.cursor("verify_events", binary=True) as cursor:
        await cursor.execute(SQL["events"])
        while rows := await cursor.fetchmany(BATCH):
            for position, identity, data in rows:
                history.store(position, digest_of(identity, data))
            told(rows[-1][0])


async def read_outbox(connection: Connection, history: History) -> None:
    async for position in _positions(connection, SQL["waiting"]):
        history.waiting.add(position)
    async for position in _positions(connection, SQL["dropped"]):
        history.dropped.add(position)


async def read_views(connection: Connection, history: History) -> dict[Partition, int]:
    """What the views do not show yet; answers where their consumer stands. Nothing of views that are not built."""
    if not await _is_built(connection, HISTORY.name):
        return {}
    likes = [f"{category}-%" for category in HISTORY.categories]
    query = SQL["hidden"].replace("{history}", f"projections.{HISTORY.name}")
    async for position in _positions(connection, query, {"categories": likes}):
        history.hidden.add(position)
    history.excused_keys = {key for (key,) in await _rows(connection, "excused", consumer=LIVE)}
    return await load_offsets(connection, LIVE)


async def check_store(connection: Connection, check: Check) -> None:
    """What the event store says of itself."""
    ((check.count,),) = await _rows(connection, "streams")
    for stream, version, events, lowest, highest in await _rows(connection, "gaps"):
        told = f"says version {version}, holds {events or 0} events from {lowest} to {highest}"
        check.add(Violation(kind=Kind.GAP, stream=stream, version=version or 0, detail=told))
    for stream, version, event_id, position, before in await _rows(connection, "unordered"):
        told = f"position {position}, the version before has {before}"
        check.add(Violation(kind=Kind.UNORDERED, stream=stream, version=version, event_id=event_id, detail=told))
    for event_id, times in await _rows(connection, "twins"):
        told = f"{times} events have this id"
        check.add(Violation(kind=Kind.TWIN, stream="events", event_id=event_id, detail=told))


async def check_answers(connection: Connection, check: Check) -> None:
    """What callers were told under idempotency keys: it is there, and once."""
    ((check.count,),) = await _rows(connection, "keys")
    for stream, version, key in await _rows(connection, "unkept"):
        check.add(Violation(kind=Kind.UNKEPT, stream=stream, version=version, detail=f"promised to key {key!r}"))
    for stream, version, key in await _rows(connection, "done_twice"):
        told = f"promised to key {key!r} and to another"
        check.add(Violation(kind=Kind.DONE_TWICE, stream=stream, version=version, detail=told))


async def check_set_aside(connection: Connection, check: Check) -> None:
    """What waits for a person, and with it every later event of its key."""
    for who, key, records, reason in await _rows(connection, "set_aside"):
        check.count += 1
        told = f"{records} set aside by {who}: {reason}"
        check.add(Violation(kind=Kind.SET_ASIDE, stream=f"key {key}", detail=told))


async def digests(connection: Connection, positions: Collection[int]) -> dict[int, int]:
    """What the store holds at these positions now."""
    rows = await _rows(connection, "look_up", positions=list(positions))
    return {position: digest_of(identity, data) for position, identity, data in rows}


async def describe(connection: Connection, positions: Sequence[int]) -> list[Stored]:
    rows = await _rows(connection, "describe", positions=list(positions))
    return [
        Stored(position, stream, version, event_id, key, BY_CATEGORY.get(id_.partition("-")[0], "no topic"), ms)
        for position, stream, version, event_id, key, id_, ms in rows
    ]


async def fates(connection: Connection, gaps: Sequence[Gap]) -> list[Fate]:
    rows = await _rows(
        connection,
        "fates",
        streams=[gap.stream for gap in gaps],
        firsts=[gap.first for gap in gaps],
        lasts=[gap.last for gap in gaps],
    )
    return [Fate(*row) for row in rows]


async def check_listings(connection: Connection, check: Check, *, cut: int, queue_is_current: bool) -> None:
    """As they are recorded, shop by shop."""
    if not await _is_built(connection, LISTING_STATUS.name):
        return
    for shop, listings, synced, behind, held, refused, conflicts, paused, unlinked in await _rows(
        connection, "listings"
    ):
        check.count += listings
        check.notes.append(
            f"{shop}: {listings} listings, {synced} as wanted, {behind} not yet ({held} held, {refused} refused, "
            f"{conflicts} in conflict, {paused} paused, {unlinked} unlinked)"
        )
    if not queue_is_current:
        check.notes.append("the push queue is behind the topics: whether a listing was forgotten is not told")
        return
    for stream, version in await _rows(connection, "forgotten", cut=cut, limit=100 * SHOWN):
        told = "differs from what the shop shows, nothing is in its way, and it has no turn"
        check.add(Violation(kind=Kind.FORGOTTEN, stream=stream, version=version, detail=told))


async def _is_built(connection: Connection, view: str) -> bool:
    ((built,),) = await _rows(connection, "is_built", view=f"projections.{view}")
    return bool(built)


async def _rows(connection: Connection, name: str, **values: Any) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(SQL[name], values)
    return await cursor.fetchall()


async def _positions(connection: Connection, query: str, values: dict[str, Any] | None = None) -> AsyncIterator[int]:
    async with connection.cursor("verify_positions", binary=True) as cursor:
        await cursor.execute(query, values)
        while rows := await cursor.fetchmany(10 * BATCH):
            for (position,) in rows:
                yield position
