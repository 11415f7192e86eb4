"""What can be told of one SKU in one warehouse. `at` is when it happened there, not when it was told."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class ReceiveStock(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    warehouse: str
    quantity: int
    at: datetime
    reason: str = ""


class CountStock(Struct, frozen=True, kw_only=True):
    """Pieces seen on the shelf at `as_of`. What moved since then, and was told before, is added to the count."""

    product_id: str
    sku: str
    warehouse: str
    counted: int
    as_of: datetime
    now: datetime
    expected_on_hand: int | None = None
    """Refuse if another figure is on hand: for callers who set a figure that they have seen before."""
    reason: str = ""


class AdjustStock(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    warehouse: str
    delta: int
    at: datetime
    reason: str = ""


StockCommand = ReceiveStock | CountStock | AdjustStock
