"""Conflict facts -> one row per conflict."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from domain.events import DomainEvent
from domain.listing.events import ConflictDetected, ConflictResolved, Value
from domain.values import identity_of
from projections.projection import Fact, Row, View, touch


class ConflictRow(Row, kw_only=True):
    conflict_id: str
    listing_id: str
    product_id: str
    field: str
    status: str
    """"open" or "resolved"."""
    ours: Value
    theirs: Value
    confirmed: Value
    ours_at: datetime
    theirs_at: datetime
    ours_by: str
    theirs_by: str
    reason: str
    strategy: str
    policy: str
    policy_version: int
    detected_at: datetime
    detected_position: int
    """Never changes, so pages can be told apart by it."""
    outcome: str | None
    resolved_value: Value
    resolved_strategy: str | None
    resolved_reason: str | None
    resolved_by: str | None
    resolved_at: datetime | None


def fold(row: ConflictRow | None, fact: Fact, event: DomainEvent) -> ConflictRow | None:
    if isinstance(event, ConflictDetected):
        return _detected(row, fact, event)
    if isinstance(event, ConflictResolved) and row is not None:
        row.status = "resolved"
        row.outcome = event.outcome
        row.resolved_value = event.value
        row.resolved_strategy = event.strategy
        row.resolved_reason = event.reason
        row.resolved_by = event.by
        row.resolved_at = fact.occurred_at
        touch(row, fact)
    return row


def _detected(row: ConflictRow | None, fact: Fact, event: ConflictDetected) -> ConflictRow:
    """Told again, a conflict goes on with other values; it is no new one."""
    return ConflictRow(
        org_id=fact.org_id,
        version=fact.version,
        position=fact.position,
        conflict_id=event.conflict_id,
        listing_id=identity_of(fact.stream_id),
        product_id=fact.partition_key,
        field=event.field,
        status="open",
        ours=event.ours,
        theirs=event.theirs,
        confirmed=event.confirmed,
        ours_at=event.ours_at,
        theirs_at=event.theirs_at,
        ours_by=event.ours_by,
        theirs_by=event.theirs_by,
        reason=event.reason,
        strategy=event.strategy,
        policy=event.policy,
        policy_version=event.policy_version,
        detected_at=fact.occurred_at if row is None else row.detected_at,
        detected_position=fact.position if row is None else row.detected_position,
        outcome=None,
        resolved_value=None,
        resolved_strategy=None,
        resolved_reason=None,
        resolved_by=None,
        resolved_at=None,
    )


def key_of(_fact: Fact, event: DomainEvent) -> str | None:
    return event.conflict_id if isinstance(event, ConflictDetected | ConflictResolved) else None


CONFLICTS: Final = View(
    name="conflicts",
    shape=1,
    categories=("listing",),
    row=ConflictRow,
    key="conflict_id",
    key_of=key_of,
    fold=fold,
    folder=Path(__file__).parent,
    row_per_stream=False,
)
