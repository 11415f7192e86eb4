"""The outbox's twin in memory, for tests: the same contract, and transactions that stay open as long as one likes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from infrastructure.outbox.operations import NothingParked
from infrastructure.outbox.reader import Horizon, Pending, Refused
from infrastructure.outbox.shards import SHARDS, shard_of

_TIME: Final = b'"2026-03-01T10:00:00+00:00"'
_ID: Final = str(UUID(int=0)).encode()


class Lease(Struct):
    owner: str | None = None
    term: int = 0


class OutboxTables:
    """What all relays share: rows, open transactions, parked keys, leases."""

    def __init__(self) -> None:
        self.rows: dict[int, Pending] = {}
        self.parked: dict[int, Refused] = {}
        self.dropped: list[int] = []
        self.leases = [Lease() for _ in range(SHARDS)]
        self.open: dict[str, list[Pending]] = {}
        self.given_out = 0
        self.rewinds = 0
        self._begun = 0

    def begin(self) -> str:
        """An append that has its lock and no position yet; answers its name."""
        self._begun += 1
        name = f"tx-{self._begun}"
        self.open[name] = []
        return name

    def insert(self, transaction: str, stream_id: str, version: int) -> int:
        """An event whose key is the stream's id behind its category; seen by nobody before `commit`."""
        self.given_out += 1
        self.open[transaction].append(_row(self.given_out, stream_id, version))
        return self.given_out

    def commit(self, transaction: str) -> None:
        self.rows |= {row.position: row for row in self.open.pop(transaction)}

    def claim(self, owner: str, shards: Iterable[int] = range(SHARDS)) -> dict[int, int]:
        """Whoever had them has lost them."""
        claimed = {}
        for shard in shards:
            lease = self.leases[shard]
            lease.owner, lease.term = owner, lease.term + 1
            claimed[shard] = lease.term
        return claimed

    def release(self, key: str) -> int:
        """As `operations.release`. Raises NothingParked."""
        waiting = self._waiting(key)
        for position in waiting:
            self.rows[position] = self.parked.pop(position).row
        self.rewinds += 1
        return len(waiting)

    def drop(self, key: str) -> int:
        """As `operations.drop`. Raises NothingParked."""
        first = next(at for at in self._waiting(key) if self.parked[at].reason is not None)
        del self.parked[first]
        self.dropped.append(first)
        return self.release(key) if self.is_parked(key.encode()) else 0

    def is_parked(self, key: bytes) -> bool:
        return any(row.partition_key == key for row, _ in self.parked.values())

    def _waiting(self, key: str) -> list[int]:
        found = sorted(at for at, (row, _) in self.parked.items() if row.partition_key == key.encode())
        if not found:
            raise NothingParked(f"nothing of key {key!r} is parked")
        return found


class InMemoryOutbox:
    def __init__(self, tables: OutboxTables, owner: str) -> None:
        self._tables = tables
        self._owner = owner

    async def horizon(self, ttl: float) -> Horizon:  # noqa: ARG002  # nobody's presence ends here
        tables = self._tables
        free = sum(lease.owner is None for lease in tables.leases)
        relays = len({lease.owner for lease in tables.leases if lease.owner is not None})
        appenders = {name: name if rows else None for name, rows in tables.open.items()}
        return Horizon(tables.given_out, appenders, tables.rewinds, free, relays)

    async def pending(
        self,
        *,
        low: int,
        passed: Mapping[str, int],
        shards: Collection[int],
        under_way: Collection[int],
        limit: int,
    ) -> list[Pending]:
        tables = self._tables
        low = min((low, *(floor for name, floor in passed.items() if name not in tables.open)))
        left_out, wanted = set(under_way), set(shards)
        found = [
            row
            for position, row in sorted(tables.rows.items())
            if position > low and row.shard in wanted and position not in left_out
        ]
        return [
            row._replace(is_parked=tables.is_parked(row.partition_key), rewinds=tables.rewinds) for row in found[:limit]
        ]

    async def delete(self, rows: Sequence[Pending], terms: Mapping[int, int]) -> int:
        gone = [row.position for row in rows if self._may_change(row, terms)]
        for position in gone:
            del self._tables.rows[position]
        return len(gone)

    async def park(self, refused: Sequence[Refused], terms: Mapping[int, int]) -> int:
        heads = {row.partition_key for row, reason in (*refused, *self._tables.parked.values()) if reason is not None}
        parked = [
            one
            for one in refused
            if self._may_change(one.row, terms) and (one.reason is not None or one.row.partition_key in heads)
        ]
        for one in parked:
            del self._tables.rows[one.row.position]
            self._tables.parked[one.row.position] = one
        return len(parked)

    def _may_change(self, row: Pending, terms: Mapping[int, int]) -> bool:
        lease = self._tables.leases[row.shard]
        ours = lease.owner == self._owner and lease.term == terms.get(row.shard)
        return ours and row.position in self._tables.rows


def _row(position: int, stream_id: str, version: int) -> Pending:
    key = stream_id.partition("-")[2]
    return Pending(
        position=position,
        shard=shard_of(key),
        is_parked=False,
        rewinds=0,
        partition_key=key.encode(),
        data=b"{}",
        type=b"product.renamed",
        schema=1,
        org_id=b"toko-batik",
        actor=b"user:rina",
        event_id=str(UUID(int=position)).encode(),
        stream_id=stream_id.encode(),
        version=version,
        occurred_at=_TIME,
        recorded_at=_TIME,
        correlation_id=_ID,
        causation_id=None,
        batch_id=None,
    )
