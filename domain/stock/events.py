"""Movements of one SKU in one warehouse. Quantities are whole pieces; there is no bare "set stock"."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class StockReceived(Struct, frozen=True, kw_only=True):
    """Pieces came in; the first movement also tells whose stock this is.

    `at` is when they did. What happened before the latest count was on the shelf when it was counted, so it is recorded
    and leaves the figure as it is.
    """

    product_id: str
    sku: str
    warehouse: str
    quantity: int
    at: datetime
    on_hand_before: int
    on_hand_after: int
    reason: str = ""


class StockCounted(Struct, frozen=True, kw_only=True):
    """Someone counted. `as_of` is when the shelf was looked at; the difference is an adjustment, never a reset."""

    product_id: str
    sku: str
    warehouse: str
    counted: int
    as_of: datetime
    on_hand_before: int
    on_hand_after: int
    reason: str = ""


class StockAdjusted(Struct, frozen=True, kw_only=True):
    """A correction by a difference (loss, find, return to supplier). `at` as in `StockReceived`."""

    product_id: str
    sku: str
    warehouse: str
    delta: int
    at: datetime
    on_hand_before: int
    on_hand_after: int
    reason: str = ""


StockEvent = StockReceived | StockCounted | StockAdjusted
