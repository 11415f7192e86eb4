"""What the statements of lanes and of the push queue mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from infrastructure.shops.items import SQL as ITEMS
from infrastructure.shops.lanes import SQL as LANES
from infrastructure.shops.push_queue import SQL as QUEUE
from tests.simulation.database import STATEMENTS, Result, Transaction, Values

TABLES: Final = ("shop_lanes", "push_queue")
BEGAN: Final = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The scheduler's time on the calendar."""
    return BEGAN + timedelta(seconds=seconds)


class LaneRow(NamedTuple):
    platform: str
    shop_id: str
    term: int
    owner: str | None
    expires_at: float
    paused_until: datetime | None


class Queued(NamedTuple):
    org_id: str
    connection_id: str
    product_id: str
    priority: int
    due_at: datetime
    attempts: int
    revision: int
    wanted_since: datetime
    deferred_since: datetime | None
    correlation_id: Any
    causation_id: Any
    look_first: bool


@STATEMENTS.means(LANES["open_lane"], "open lane")
def _open_lane(tx: Transaction, p: Values) -> Result:
    key = p["org_id"], p["connection_id"]
    tx.lock("shop_lanes", key)
    if tx.get("shop_lanes", key) is None:
        tx.put("shop_lanes", key, LaneRow(p["platform"], p["shop_id"], 0, None, float("-inf"), None))
    return Result()


@STATEMENTS.means(LANES["claim"], "claim lanes")
def _claim(tx: Transaction, p: Values) -> Result:
    mine = []
    for key, lane in tx.scan("shop_lanes"):
        if tx.is_locked("shop_lanes", key) or not (lane.owner == p["owner"] or lane.expires_at < tx.now):
            continue
        is_kept = lane.owner == p["owner"] and lane.expires_at >= tx.now
        term = lane.term if is_kept else lane.term + 1
        tx.put("shop_lanes", key, lane._replace(owner=p["owner"], term=term, expires_at=tx.now + p["ttl"]))
        mine.append((*key, lane.platform, lane.shop_id, term, lane.paused_until, None, None))
    return Result(mine[: p["limit"]])


@STATEMENTS.means(LANES["release"], "release lanes")
def _release(tx: Transaction, p: Values) -> Result:
    for key, lane in tx.scan("shop_lanes"):
        if lane.owner == p["owner"]:
            tx.put("shop_lanes", key, lane._replace(owner=None, expires_at=float("-inf")))
    return Result()


@STATEMENTS.means(LANES["pause"], "pause lane")
def _pause(tx: Transaction, p: Values) -> Result:
    key = p["org_id"], p["connection_id"]
    lane: LaneRow | None = tx.get("shop_lanes", key)
    if lane is not None:
        tx.put("shop_lanes", key, lane._replace(paused_until=p["until"]))
    return Result()


@STATEMENTS.means(QUEUE["enqueue"], "enqueue")
def _enqueue(tx: Transaction, p: Values) -> Result:
    columns = ("org_ids", "connection_ids", "product_ids", "priorities", "due_at", "wanted_since")
    looks = p.get("look_first", [False] * len(p["listing_ids"]))
    for listing, org, connection, product, priority, due_at, since, correlation, causation, look in zip(
        p["listing_ids"], *(p[column] for column in columns), p["correlations"], p["causations"], looks, strict=True
    ):
        tx.lock("push_queue", listing)
        before: Queued | None = tx.get("push_queue", listing)
        row = Queued(org, connection, product, priority, due_at, 0, 1, since, None, correlation, causation, look)
        if before is not None:
            row = row._replace(
                priority=min(before.priority, priority),
                due_at=min(before.due_at, due_at),
                wanted_since=min(before.wanted_since, since),
                deferred_since=before.deferred_since,
                look_first=before.look_first or look,
                revision=before.revision + 1,
            )
        tx.put("push_queue", listing, row)
    return Result()


@STATEMENTS.means(QUEUE["due"], "due")
def _due(tx: Transaction, p: Values) -> Result:
    found = [
        (row.priority, row.due_at, listing, row)
        for listing, row in tx.scan("push_queue")
        if row.connection_id == p["connection_id"] and row.due_at <= p["now"] and listing not in p["under_way"]
    ]
    return Result(
        [
            (
                listing,
                row.product_id,
                row.priority,
                row.attempts,
                row.revision,
                row.wanted_since,
                row.deferred_since,
                row.correlation_id,
                row.causation_id,
                row.look_first,
            )
            for _, _, listing, row in sorted(found, key=lambda one: one[:3])[: p["limit"]]
        ]
    )


def _same(tx: Transaction, p: Values) -> Queued | None:
    row: Queued | None = tx.get("push_queue", p["listing_id"])
    return row if row is not None and row.revision == p["revision"] else None


@STATEMENTS.means(QUEUE["done"], "done")
def done(tx: Transaction, p: Values) -> Result:
    if _same(tx, p) is None:
        return Result()
    tx.remove("push_queue", p["listing_id"])
    return Result(rowcount=1)


@STATEMENTS.means(QUEUE["postpone"], "postpone")
def _postpone(tx: Transaction, p: Values) -> Result:
    row = _same(tx, p)
    if row is None:
        return Result()
    deferred = (row.deferred_since or at(tx.now)) if p["deferred"] else None
    changed = row._replace(
        due_at=p["due_at"],
        attempts=p["attempts"],
        deferred_since=deferred,
        look_first=p.get("look_first", False),
    )
    tx.put("push_queue", p["listing_id"], changed)
    return Result(rowcount=1)


@STATEMENTS.means(ITEMS["linked"], "item linked")
def _linked(tx: Transaction, p: Values) -> Result:
    return Result(rowcount=1)
