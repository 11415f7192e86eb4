"""Ways of bringing events from a database to a topic that look right: each is wrong, and the checker has to say how.

They are the shapes that home-grown relays have, and ours beside them. Each reads what is new, sends it, and notes that
it has been sent; between the two anything may happen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from infrastructure.kafka.partitions import partition_of
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox, Pending
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import Pool
from relay.metrics import RelayMetrics
from relay.publisher import Batches, Published
from relay.relay import Relay

PARTITIONS: Final = 4

Meanwhile = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Happens between sending and noting."""


class BrokerAway(Exception):
    """What was to be sent was not taken, and the process ends here."""


@dataclass
class Topic:
    """Positions as they were sent, by partition."""

    partitions: list[list[int]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    is_away: bool = False

    def send(self, rows: Sequence[tuple[int, bytes]], partition: int | None = None) -> None:
        if self.is_away:
            raise BrokerAway
        for position, key in rows:
            self.partitions[partition_of(key, PARTITIONS) if partition is None else partition].append(position)


class Reader:
    """A process that is made anew when it has died: what it knows besides the database is gone."""

    name: ClassVar[str]
    has_outbox: ClassVar[bool] = True
    """Whether a row waits there until it is sent; a cursor takes what it has passed for sent."""

    def __init__(self, pool: Pool, topic: Topic) -> None:
        self._pool = pool
        self._topic = topic

    async def step(self, meanwhile: Meanwhile) -> None:
        async with self._pool.connection() as connection:
            rows = await self._read(connection)
            await self._send(connection, rows)
            await meanwhile()
            await self._note(connection, rows)

    async def _read(self, connection: AsyncConnection[Any]) -> list[Any]:
        raise NotImplementedError

    async def _send(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        self._topic.send([(row[0], row[1]) for row in rows])

    async def _note(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        raise NotImplementedError


class _Cursor(Reader):
    """Keeps how far it has come in a table, as a checkpoint."""

    has_outbox = False

    query: ClassVar[str]

    async def _read(self, connection: AsyncConnection[Any]) -> list[Any]:
        await connection.execute("create temporary table if not exists checkpoint (tx xid8, position bigint)")
        await connection.execute("insert into checkpoint select '0', 0 where not exists (select from checkpoint)")
        cursor = await connection.execute(self.query)
        return await cursor.fetchall()

    async def _note(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        if rows:
            await connection.execute("update checkpoint set position = %s, tx = %s", [rows[-1][0], rows[-1][2]])


class PositionCursor(_Cursor):
    name = "position cursor"
    query = """
        select position, convert_to(partition_key, 'UTF8'), tx::text from events
        where position > (select position from checkpoint) order by position
    """


class CursorPlusXmin(_Cursor):
    name = "position cursor plus xmin filter"
    query = """
        select position, convert_to(partition_key, 'UTF8'), tx::text from events
        where position > (select position from checkpoint) and tx < pg_snapshot_xmin(pg_current_snapshot())
        order by position
    """


class XidThenPosition(_Cursor):
    name = "(xid, position) cursor"
    query = """
        select position, convert_to(partition_key, 'UTF8'), tx::text from events
        where (tx, position) > (select tx, position from checkpoint) and tx < pg_snapshot_xmin(pg_current_snapshot())
        order by tx, position
    """


class _Membership(Reader):
    async def _read(self, connection: AsyncConnection[Any]) -> list[Any]:
        cursor = await connection.execute(
            "select position, convert_to(partition_key, 'UTF8') from outbox join events using (position) "
            "order by position"
        )
        return await cursor.fetchall()

    async def _note(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        await connection.execute("delete from outbox where position = any (%s)", [[row[0] for row in rows]])


class DeleteByRange(_Membership):
    name = "delete by range"

    async def _note(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        if rows:
            await connection.execute("delete from outbox where position between %s and %s", [rows[0][0], rows[-1][0]])


class BatchWithoutPartition(_Membership):
    name = "batch without partition"

    def __init__(self, pool: Pool, topic: Topic) -> None:
        super().__init__(pool, topic)
        self._batches = 0

    async def _send(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        """As a client does that is handed a batch: where it goes is the client's business."""
        self._batches += 1
        self._topic.send([(row[0], row[1]) for row in rows], self._batches % PARTITIONS)


class DeleteBeforeAcknowledgement(_Membership):
    name = "acknowledgement before commit"

    async def _send(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        await super()._note(connection, rows)
        await super()._send(connection, rows)

    async def _note(self, connection: AsyncConnection[Any], rows: list[Any]) -> None:
        """Done already."""


class Ours(Reader):
    """The relay itself, with a recorded topic for Kafka."""

    name = "the relay of SyncStore"

    def __init__(self, pool: Pool, topic: Topic) -> None:
        super().__init__(pool, topic)
        self._sender = _Sender(topic)
        self._relay = Relay(Outbox(pool, "ours"), self._sender, RelayMetrics(CollectorRegistry()))
        self._terms: dict[int, int] = {}

    async def step(self, meanwhile: Meanwhile) -> None:
        leases = Leases(self._pool, "ours", ttl=600)
        if not self._terms:
            await leases.release(range(SHARDS))  # of one that has died
            self._terms = await leases.claim(SHARDS)
        self._sender.meanwhile = meanwhile
        while await self._relay.one_pass(self._terms, patience=60):
            self._sender.meanwhile = nothing
        await self._relay.settled()


class _Sender:
    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self.meanwhile: Meanwhile = nothing

    async def prepare(self, rows: Sequence[Pending]) -> Batches:
        return Batches(rows)

    async def publish(self, batches: Batches, *, patience: float) -> Published:
        self._topic.send([(row.position, row.partition_key) for row in batches.rows])
        await self.meanwhile()
        return Published(acknowledged=list(batches.rows), refused=[])

    async def abandon(self) -> None:
        """There is nothing under way."""


WRONG: Final[tuple[type[Reader], ...]] = (
    PositionCursor,
    CursorPlusXmin,
    XidThenPosition,
    DeleteByRange,
    BatchWithoutPartition,
    DeleteBeforeAcknowledgement,
)
