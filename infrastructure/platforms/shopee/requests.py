"""Shopee's calls as values: what to send, before anyone signs or sends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

PREFIX: Final = "/api/v2"

LISTED_STATUSES: Final = ("NORMAL", "UNLIST", "REVIEWING", "BANNED")
PAGE: Final = 100
IDS_PER_READ: Final = 50
ROWS_PER_WRITE: Final = 50
IMAGES_PER_UPLOAD: Final = 9


class Call(Struct, frozen=True, kw_only=True):
    """One request. `public` calls are signed without a shop's credential."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    images: tuple[bytes, ...] = ()
    public: bool = False


def exchange_code(*, partner_id: int, shop_id: int, code: str) -> Call:
    body = {"code": code, "partner_id": partner_id, "shop_id": shop_id}
    return Call(method="POST", path=f"{PREFIX}/auth/token/get", body=body, public=True)


def refresh_token(*, partner_id: int, shop_id: int, token: str) -> Call:
    body = {"refresh_token": token, "partner_id": partner_id, "shop_id": shop_id}
    return Call(method="POST", path=f"{PREFIX}/auth/access_token/get", body=body, public=True)


def get_item_list(*, offset: int, updated_from: datetime | None = None, updated_to: datetime | None = None) -> Call:
    query = [("offset", str(offset)), ("page_size", str(PAGE))]
    query += [("item_status", status) for status in LISTED_STATUSES]
    if updated_from is not None:
        query.append(("update_time_from", str(int(updated_from.timestamp()))))
    if updated_to is not None:
        query.append(("update_time_to", str(int(updated_to.timestamp()))))
    return _get("get_item_list", *query)


def search_item(*, item_sku: str, offset: str = "") -> Call:
    cursor = (("offset", offset),) if offset else ()
    return _get("search_item", ("item_sku", item_sku), ("page_size", str(PAGE)), *cursor)


def get_item_base_info(item_ids: Sequence[int]) -> Call:
    return _get("get_item_base_info", ("item_id_list", ",".join(map(str, item_ids))))


def get_model_list(item_id: int) -> Call:
    return _get("get_model_list", ("item_id", str(item_id)))


def get_channel_list() -> Call:
    return Call(method="GET", path=f"{PREFIX}/logistics/get_channel_list")


def add_item(body: dict[str, Any]) -> Call:
    return _post("add_item", body)


def update_item(item_id: int, fields: dict[str, Any]) -> Call:
    return _post("update_item", {"item_id": item_id, **fields})


def init_tier_variation(item_id: int, body: dict[str, Any]) -> Call:
    return _post("init_tier_variation", {"item_id": item_id, **body})


def update_price(item_id: int, rows: Sequence[tuple[int, int]]) -> Call:
    """Rows of (model id, price); model id 0 for an item without variants."""
    price_list = [{"model_id": model_id, "original_price": price} for model_id, price in rows]
    return _post("update_price", {"item_id": item_id, "price_list": price_list})


def update_stock(item_id: int, rows: Sequence[tuple[int, int]]) -> Call:
    """Rows of (model id, pieces, reserved ones included)."""
    stock_list = [{"model_id": model_id, "seller_stock": [{"stock": stock}]} for model_id, stock in rows]
    return _post("update_stock", {"item_id": item_id, "stock_list": stock_list})


def unlist_item(item_id: int, *, unlist: bool) -> Call:
    return _post("unlist_item", {"item_list": [{"item_id": item_id, "unlist": unlist}]})


def upload_image(images: Sequence[bytes]) -> Call:
    return Call(method="POST", path=f"{PREFIX}/media_space/upload_image", images=tuple(images), public=True)


def get_lost_push_message() -> Call:
    return Call(method="GET", path=f"{PREFIX}/push/get_lost_push_message", public=True)


def confirm_consumed_lost_push_message(last_message_id: int) -> Call:
    body = {"last_message_id": last_message_id}
    return Call(method="POST", path=f"{PREFIX}/push/confirm_consumed_lost_push_message", body=body, public=True)


def _get(name: str, *query: tuple[str, str]) -> Call:
    return Call(method="GET", path=f"{PREFIX}/product/{name}", query=query)


def _post(name: str, body: dict[str, Any]) -> Call:
    return Call(method="POST", path=f"{PREFIX}/product/{name}", body=body)
