"""What the statements of the outbox and of its leases mean."""

from __future__ import annotations

from typing import Final, NamedTuple

from infrastructure.outbox.leases import SQL as LEASES
from infrastructure.outbox.reader import SQL as OUTBOX
from infrastructure.outbox.reader import Pending
from tests.simulation.database import STATEMENTS, Database, Result, Transaction, Values

TABLES: Final = ("events", "outbox", "outbox_parked", "outbox_dropped", "relay_leases", "relay_members")
SHARDS: Final = 8
_MINUS_INFINITY: Final = float("-inf")


class Lease(NamedTuple):
    owner: str | None
    term: int
    expires_at: float
    rewinds: int


class Parked(NamedTuple):
    key: str
    reason: str | None


def install(database: Database) -> None:
    """As the migration does."""
    database.tables["relay_leases"] = {shard: Lease(None, 0, _MINUS_INFINITY, 0) for shard in range(SHARDS)}


@STATEMENTS.means(LEASES["attend"], "attend")
def _attend(tx: Transaction, p: Values) -> Result:
    tx.put("relay_members", p["owner"], tx.now)
    return Result([(_members(tx, p["ttl"]),)])


def _members(tx: Transaction, ttl: float) -> int:
    return sum(seen_at > tx.now - ttl for _, seen_at in tx.scan("relay_members"))


@STATEMENTS.means(LEASES["renew"], "renew")
def _renew(tx: Transaction, p: Values) -> Result:
    kept = []
    for shard, term in zip(p["shards"], p["terms"], strict=True):
        lease: Lease = tx.get("relay_leases", shard)
        if lease.term == term and lease.owner == p["owner"] and lease.expires_at > tx.now:
            tx.put("relay_leases", shard, lease._replace(expires_at=tx.now + p["ttl"]))
            kept.append((shard, term))
    return Result(kept)


@STATEMENTS.means(LEASES["claim"], "claim")
def _claim(tx: Transaction, p: Values) -> Result:
    claimed: list[tuple[int, int]] = []
    for shard in range(SHARDS):
        if len(claimed) == p["limit"]:
            break
        lease: Lease = tx.get("relay_leases", shard)
        if lease.expires_at <= tx.now and not tx.is_locked("relay_leases", shard):
            taken = Lease(p["owner"], lease.term + 1, tx.now + p["ttl"], lease.rewinds)
            tx.put("relay_leases", shard, taken)
            claimed.append((shard, taken.term))
    return Result(claimed)


@STATEMENTS.means(LEASES["release"], "release leases")
def _release_leases(tx: Transaction, p: Values) -> Result:
    for shard in p["shards"]:
        lease: Lease = tx.get("relay_leases", shard)
        if lease.owner == p["owner"]:
            tx.put("relay_leases", shard, lease._replace(owner=None, expires_at=_MINUS_INFINITY))
    return Result()


@STATEMENTS.means(LEASES["leave"], "leave")
def _leave(tx: Transaction, p: Values) -> Result:
    if tx.get("relay_members", p["owner"]) is not None:
        tx.remove("relay_members", p["owner"])
    return Result()


@STATEMENTS.means(OUTBOX["horizon"], "horizon")
def _horizon(tx: Transaction, p: Values) -> Result:
    free = sum(lease.owner is None for lease in tx.database.tables["relay_leases"].values())
    given_out = tx.database.sequences.get("event_position", 0)
    appenders = {name: name if name in tx.database.running else None for name in tx.database.appenders}
    return Result([(given_out, appenders, _rewinds(tx), free, _members(tx, p["ttl"]))])


def _rewinds(tx: Transaction) -> int:
    return sum(lease.rewinds for lease in tx.database.tables["relay_leases"].values())


def _names(array: str) -> list[str]:
    return [name for name in array[1:-1].split(",") if name]


def _numbers(array: str) -> list[int]:
    return list(map(int, _names(array)))


@STATEMENTS.means(OUTBOX["pending"], "pending")
def _pending(tx: Transaction, p: Values) -> Result:
    shards, under_way = set(_numbers(p["shards"])), set(_numbers(p["under_way"]))
    passed = zip(_names(p["passed"]), _numbers(p["floors"]), strict=True)
    low = min((p["low"], *(floor for name, floor in passed if name not in tx.database.running)))
    found = [
        position
        for position, shard in tx.scan("outbox")
        if position > low and shard in shards and position not in under_way
    ][: p["limit"]]
    if not found:
        return Result()
    rewinds = _rewinds(tx)
    waiting = {parked.key for _, parked in tx.scan("outbox_parked")}
    rows: list[Pending] = [tx.get("events", position) for position in found]
    return Result([row._replace(is_parked=row.partition_key.decode() in waiting, rewinds=rewinds) for row in rows])


@STATEMENTS.means(OUTBOX["delete_acknowledged"], "delete_acknowledged")
def delete_acknowledged(tx: Transaction, p: Values) -> Result:
    """Answers the positions besides their number, for whoever watches."""
    terms = dict(zip(_numbers(p["shards"]), _numbers(p["terms"]), strict=True))
    gone = []
    for position in _numbers(p["positions"]):
        shard = tx.get("outbox", position)
        if shard is None:
            continue
        lease: Lease = tx.get("relay_leases", shard)
        if shard in terms and lease.term == terms[shard] and lease.owner == p["owner"]:
            tx.remove("outbox", position, relaxed=True)
            gone.append((position,))
    return Result(gone)


@STATEMENTS.means(OUTBOX["park"], "park")
def _park(tx: Transaction, p: Values) -> Result:
    given = list(zip(p["positions"], p["keys"], p["reasons"], p["shards"], p["terms"], strict=True))
    heads = {key for _, key, reason, _, _ in given if reason is not None}
    followers = {key for _, key, reason, _, _ in given if reason is None}
    for position, parked in tx.scan("outbox_parked"):
        if parked.reason is not None and parked.key in followers:
            tx.lock("outbox_parked", position)
            heads.add(parked.key)
    moved = 0
    for position, key, reason, shard, term in given:
        lease: Lease = tx.get("relay_leases", shard)
        ours = lease.term == term and lease.owner == p["owner"]
        if ours and tx.get("outbox", position) is not None and key in heads:
            tx.remove("outbox", position)
            tx.put("outbox_parked", position, Parked(key, reason))
            moved += 1
    return Result(rowcount=moved)


@STATEMENTS.means(OUTBOX["statistics"], "statistics")
def _statistics(tx: Transaction, p: Values) -> Result:
    return Result([(len(tx.database.tables["outbox"]), 0.0, len(tx.database.tables["outbox_parked"]))])


@STATEMENTS.means(OUTBOX["lock_key"], "lock_key")
def _lock_key(tx: Transaction, p: Values) -> Result:
    found = [position for position, parked in tx.scan("outbox_parked") if parked.key == p["key"]]
    for position in found:
        tx.lock("outbox_parked", position)
    return Result([(position,) for position in found])


@STATEMENTS.means(OUTBOX["drop_refused"], "drop_refused")
def _drop_refused(tx: Transaction, p: Values) -> Result:
    first = min(
        position
        for position, parked in tx.scan("outbox_parked")
        if parked.key == p["key"] and parked.reason is not None
    )
    tx.remove("outbox_parked", first)
    tx.put("outbox_dropped", first, p["reason"])
    return Result(rowcount=1)


@STATEMENTS.means(OUTBOX["release"], "release")
def _release(tx: Transaction, p: Values) -> Result:
    found = [position for position, parked in tx.scan("outbox_parked") if parked.key == p["key"]]
    lease: Lease = tx.get("relay_leases", p["shard"])
    tx.put("relay_leases", p["shard"], lease._replace(rewinds=lease.rewinds + 1))
    for position in found:
        tx.remove("outbox_parked", position)
        tx.put("outbox", position, p["shard"])
    return Result(rowcount=len(found))
