"""What a platform's push messages say to us: that something changed, never what it is now."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class HintKind(StrEnum):
    PRICE = "price"
    STOCK = "stock"
    STATUS = "status"
    PROMOTION = "promotion"
    ORDER = "order"
    AUTHORISATION = "authorisation"
    OTHER = "other"


class ListingHint(Struct, frozen=True):
    """Read this listing again. Without an `external_id` the hint concerns the shop."""

    external_id: str | None
    external_variant_id: str | None
    kind: HintKind


class PushMessage(Struct, frozen=True, kw_only=True):
    """One message, understood. `key` is the same for a message and its repetitions, within one platform."""

    key: str
    code: str
    shop_id: str | None
    sent_at: datetime | None
    hints: tuple[ListingHint, ...]


class LostPush(Struct, frozen=True, kw_only=True):
    """A message that did not reach us, as it would have been sent. `shop_id` None: it concerns no one shop."""

    key: str
    shop_id: str | None
    body: bytes


class LostPushes(Struct, frozen=True, kw_only=True):
    """The oldest undelivered messages, of every shop of the application. They come again until `token` is confirmed:
    store them first.
    """

    messages: tuple[LostPush, ...] = ()
    token: str | None = None
    more: bool = False
