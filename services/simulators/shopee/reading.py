"""The API's reading calls about goods."""

from __future__ import annotations

from typing import Any, Final

from services.simulators.shopee import views
from services.simulators.shopee.calls import Context
from services.simulators.shopee.gate import Query, Refused
from services.simulators.shopee.shop import Item

STATUSES: Final = frozenset({"NORMAL", "BANNED", "UNLIST", "REVIEWING", "SELLER_DELETE", "SHOPEE_DELETE"})

CATEGORIES: Final = (
    (100001, 0, "Fashion Pria", True),
    (100017, 100001, "Batik Pria", False),
    (100018, 100001, "Kaos Pria", False),
    (100002, 0, "Fashion Muslim", True),
    (100021, 100002, "Kerudung", False),
    (100003, 0, "Makanan & Minuman", True),
    (100031, 100003, "Kopi", False),
    (100032, 100003, "Sambal", False),
    (100004, 0, "Hobi & Koleksi", True),
    (100041, 100004, "Drone & Aksesori", False),
    (100005, 0, "Rumah Tangga", True),
    (100051, 100005, "Perlengkapan Dapur", False),
)


def get_item_list(context: Context) -> dict[str, Any]:
    query = context.query
    offset = query.number("offset")
    size = _page_size(query)
    wanted = set(query.all("item_status"))
    if not wanted or not wanted <= STATUSES:
        raise Refused("error_param_item_status", "Invalid item_status.")
    first = query.number("update_time_from", 0)
    last = query.number("update_time_to", 0) or None
    if last is not None and first > last:
        raise Refused("error_update_time_range", "update_time_from is later than update_time_to.")
    found = [
        item
        for item in context.shop.listed()
        if item.status in wanted and item.update_time >= first and (last is None or item.update_time <= last)
    ]
    size -= context.short_by
    page = found[offset : offset + size]
    return {
        "item": [
            {
                "item_id": item.item_id,
                "item_status": item.status,
                "update_time": item.update_time,
                "tag": {"kit": False},
            }
            for item in page
        ],
        "total_count": len(found),
        "has_next_page": offset + size < len(found),
        "next_offset": min(offset + size, len(found)),
    }


def search_item(context: Context) -> dict[str, Any]:
    query = context.query
    size = _page_size(query)
    offset = query.number("offset", 0)
    name = query.get("item_name").casefold()
    sku = query.get("item_sku").casefold()
    if not name and not sku:
        raise Refused("error_param", "One of item_name and item_sku is needed.")
    found = [
        item.item_id
        for item in context.shop.listed()
        if not item.deleted and name in item.name.casefold() and _carries(item, sku)
    ]
    following = offset + size
    return {
        "item_id_list": found[offset:following],
        "total_count": len(found),
        "next_offset": str(following) if following < len(found) else "",
    }


def get_item_base_info(context: Context) -> dict[str, Any]:
    items = _items(context)
    host = context.image_host
    return {"item_list": [views.base_info(item, context.config.tax_percent, host) for item in items]}


def get_model_list(context: Context) -> dict[str, Any]:
    item = context.item(context.query.number("item_id"))
    models = item.models if item.tiers else []
    return {
        "tier_variation": views.tiers(item),
        "model": [views.model_info(model, context.config.tax_percent) for model in models],
    }


def get_item_promotion(context: Context) -> dict[str, Any]:
    now = int(context.shop.now())
    rows = []
    for item in _items(context):
        locked = [model for model in item.models if model.price_locked or model.stock_locked]
        promotions = [
            {
                "promotion_type": "Discount Promotions",
                "promotion_id": 7001,
                "model_id": model.model_id,
                "start_time": now - 86_400,
                "end_time": now + 86_400,
                "promotion_price_info": [{"promotion_price": model.price * 9 // 10}],
                "promotion_staging": "ongoing",
            }
            for model in locked
        ]
        rows.append({"item_id": item.item_id, "promotion": promotions})
    return {"success_list": rows, "failure_list": []}


def get_category(_: Context) -> dict[str, Any]:
    return {
        "category_list": [
            {
                "category_id": category_id,
                "parent_category_id": parent,
                "original_category_name": name,
                "display_category_name": name,
                "has_children": has_children,
            }
            for category_id, parent, name, has_children in CATEGORIES
        ]
    }


def get_item_limit(context: Context) -> dict[str, Any]:
    def between(low: int, high: int) -> dict[str, int]:
        return {"min_limit": low, "max_limit": high}

    limits = context.limits
    return {
        "price_limit": between(limits.price_min, limits.price_max),
        "stock_limit": between(0, limits.stock_max),
        "item_name_length_limit": between(limits.name_min, limits.name_max),
        "item_image_count_limit": between(1, limits.images_max),
        "item_description_length_limit": between(limits.description_min, limits.description_max),
        "tier_variation_name_length_limit": between(1, limits.tier_name_max),
        "tier_variation_option_length_limit": between(1, limits.tier_option_max),
        "item_count_limit": between(0, limits.items_max),
        "weight_limit": {"weight_mandatory": True},
        "dimension_limit": {"dimension_mandatory": False},
    }


def get_channel_list(_: Context) -> dict[str, Any]:
    names = {8003: "Reguler (Cashless)", 8005: "Hemat", 8006: "Kargo"}
    return {
        "logistics_channel_list": [
            {
                "logistics_channel_id": channel,
                "logistics_channel_name": name,
                "enabled": channel != 8006,
                "fee_type": "SIZE_INPUT",
                "weight_limit": {"item_max_weight": 50.0, "item_min_weight": 0.0},
            }
            for channel, name in names.items()
        ]
    }


def get_order_list(context: Context) -> dict[str, Any]:
    query = context.query
    size = _page_size(query)
    start, end = query.number("time_from"), query.number("time_to")
    kind = query.get("time_range_field")
    if kind not in ("create_time", "update_time"):
        raise Refused("error_param", "Invalid time_range_field.")
    if not 0 <= end - start <= 15 * 86_400:
        raise Refused("error_param", "The time range is limited to 15 days.")
    status = query.get("order_status")
    cursor = query.number("cursor", 0)
    found = [
        order
        for order in context.shop.state.orders.values()
        if start <= (order.create_time if kind == "create_time" else order.update_time) <= end
        and status in ("", order.status)
    ]
    more = cursor + size < len(found)
    return {
        "order_list": [
            {"order_sn": order.order_sn, "order_status": order.status, "booking_sn": ""}
            for order in found[cursor : cursor + size]
        ],
        "more": more,
        "next_cursor": str(cursor + size) if more else "",
    }


def _items(context: Context) -> list[Item]:
    """The known ones of the asked items. Raises `Refused` when there are more than 50, or none is known."""
    texts = [text for value in context.query.all("item_id_list") for text in value.split(",") if text.strip()]
    if not texts or not all(text.isascii() and text.isdigit() for text in texts):
        raise Refused("error_param", "Invalid item_id_list.")
    if len(texts) > 50:
        raise Refused("error_query_over_itemid_size", "No more than 50 items can be asked for.")
    items = [context.shop.state.items[item_id] for item_id in map(int, texts) if item_id in context.shop.state.items]
    if not items:
        raise Refused("error_item_not_found", "The item is not found.")
    return items


def _page_size(query: Query) -> int:
    size = query.number("page_size")
    if not 1 <= size <= 100:
        raise Refused("error_param", "page_size has to be between 1 and 100.")
    return size


def _carries(item: Item, sku: str) -> bool:
    return sku in item.sku.casefold() or any(sku in model.sku.casefold() for model in item.models)
