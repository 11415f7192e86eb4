"""The situations a stock unit can be in: nothing told yet, or pieces on hand."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

MAX_REMEMBERED: Final = 200
"""How many movements a late count can be corrected by."""


class NeverStocked(Struct, frozen=True):
    """Nothing has been told of this SKU in this warehouse."""


class Movement(Struct, frozen=True):
    at: datetime
    delta: int


class Count(Struct, frozen=True):
    as_of: datetime
    counted: int


class StockUnit(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    warehouse: str
    on_hand: int
    counted: Count | None = None
    """The count with the latest as-of time."""
    movements: tuple[Movement, ...] = ()
    """In the order told, the newest last; those that a count has taken in are left out."""
    forgotten_at: datetime | None = None
    """The latest movement that is remembered no more: counts as of an earlier time cannot be worked out."""


StockState = NeverStocked | StockUnit
