"""What has happened to a product, latest first.

Pages go by global position. A fact that was being stored while its neighbours were read may show up between entries of
a page already read; a product's own stream, and each listing and stock stream, is always complete up to its last entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from infrastructure.postgres.pool import Pool
from infrastructure.postgres.statements import load
from projections.reading import Page, cursor_of, marks_of, page_of, read

_sql: Final = load(Path(__file__).with_name("history.sql"))
_FIELDS: Final = {
    "product.renamed": "name",
    "product.described": "description",
    "product.base-price-changed": "base_price",
    "product.cost-price-changed": "cost_price",
    "product.dimensions-changed": "dimensions",
    "product.categorised": "category",
    "product.tagged": "tags",
    "product.images-changed": "images",
    "product.variant-changed": "variant",
    "product.activated": "status",
    "product.deactivated": "status",
    "product.archived": "status",
    "product.restored": "status",
}


class Change(Struct, frozen=True, kw_only=True):
    field: str
    old: Any
    new: Any


class HistoryEntry(Struct, frozen=True, kw_only=True):
    stream_id: str
    version: int
    position: int
    product_id: str
    event_id: UUID
    type: str
    schema: int
    data: Raw
    """As it was stored."""
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    correlation_id: UUID
    causation_id: UUID | None
    batch_id: UUID | None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What moved from which value to which; empty for facts that change no value."""
        return changes_of(self.type, msgspec.json.decode(self.data))


def changes_of(type_: str, data: dict[str, Any]) -> tuple[Change, ...]:
    if "changes" in data:
        return tuple(Change(field=c["field"], old=c["old"], new=c["new"]) for c in data["changes"])
    if "on_hand_after" in data:
        return (Change(field=f"on_hand:{data['sku']}", old=data["on_hand_before"], new=data["on_hand_after"]),)
    if "old" in data or "new" in data:
        field = data.get("field") or data.get("platform") or _FIELDS.get(type_) or type_.partition(".")[2]
        return (Change(field=field, old=data.get("old"), new=data.get("new")),)
    return ()


async def list_history(
    pool: Pool,
    org_id: str,
    product_id: str,
    *,
    categories: Sequence[str] = (),
    types: Sequence[str] = (),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[HistoryEntry]:
    """A page of what happened to a product, its stock and its listings.

    Raises InvalidCursor.
    """
    (before,) = marks_of(cursor, tuple[int]) if cursor else (None,)
    values = {
        "product_id": product_id,
        "streams": list(categories) or None,
        "types": list(types) or None,
        "before": before,
        "limit": limit + 1,
    }
    rows, freshness = await read(pool, org_id, _sql["page"], values, HistoryEntry)
    return page_of(rows, limit, freshness, cursor_of(rows[:limit][-1].position) if rows else None)
