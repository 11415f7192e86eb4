"""The API's writes that make, change and remove items and variants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.simulators.shopee import views
from services.simulators.shopee.calls import Context
from services.simulators.shopee.gate import Refused, read_body
from services.simulators.shopee.offers import Stock, check_price, check_stock
from services.simulators.shopee.reading import CATEGORIES
from services.simulators.shopee.shop import NO_MODEL, Item, Model


class ImageIds(Struct):
    image_id_list: list[str]


class Logistic(Struct):
    logistic_id: int
    enabled: bool


class PreOrder(Struct):
    is_pre_order: bool
    days_to_ship: int = 2


class AddItem(Struct):
    original_price: Decimal
    description: str
    weight: Decimal
    item_name: str
    logistic_info: list[Logistic]
    category_id: int
    image: ImageIds
    item_sku: str = ""
    item_status: str = "NORMAL"
    seller_stock: list[Stock] = []
    pre_order: PreOrder | None = None


class UpdateItem(Struct):
    item_id: int
    item_name: str | None = None
    description: str | None = None
    weight: Decimal | None = None
    image: ImageIds | None = None
    item_sku: str | None = None
    category_id: int | None = None
    pre_order: PreOrder | None = None


class UnlistRow(Struct):
    item_id: int
    unlist: bool


class UnlistItem(Struct):
    item_list: list[UnlistRow]


class ItemId(Struct):
    item_id: int


def add_item(context: Context) -> dict[str, Any]:
    body = read_body(context.body, AddItem)
    shop = context.shop
    if shop.state.holiday:
        raise Refused("error_holiday_on_add_item", "Items cannot be added in holiday mode.")
    if len(shop.state.items) >= context.limits.items_max:
        raise Refused("error_reach_shop_item_limit", "The shop's limit of items is reached.")
    _check_name(context, body.item_name)
    _check_description(context, body.description)
    _check_category(body.category_id)
    _check_images(context, body.image.image_id_list)
    if body.weight <= 0:
        raise Refused("error_param", "The weight has to be more than 0.")
    if not any(channel.enabled for channel in body.logistic_info):
        raise Refused("error_invalid_logistic_info", "At least one logistic channel has to be enabled.")
    if body.item_status not in ("NORMAL", "UNLIST"):
        raise Refused("error_param_item_status", "Invalid item_status.")
    price = check_price(context, body.original_price)
    stock = check_stock(context, sum(place.stock for place in body.seller_stock))
    now = shop.now()
    item = Item(
        item_id=shop.next_id(),
        name=body.item_name,
        description=body.description,
        sku=check_sku(context, body.item_sku),
        category_id=body.category_id,
        weight=f"{body.weight:.3f}",
        status=body.item_status,
        create_time=int(now),
        update_time=int(now),
        images=body.image.image_id_list,
        channels=[channel.logistic_id for channel in body.logistic_info if channel.enabled],
        days_to_ship=body.pre_order.days_to_ship if body.pre_order and body.pre_order.is_pre_order else 0,
        models=[Model(model_id=NO_MODEL, sku=body.item_sku, price=price, stock=stock)],
        variable_from=now + context.config.new_item_delay,
    )
    shop.state.items[item.item_id] = item
    shop.touch(item)
    return views.base_info(item, context.config.tax_percent, context.image_host)


def update_item(context: Context) -> dict[str, Any]:
    body = read_body(context.body, UpdateItem)
    item = editable(context, body.item_id)
    if body.item_name is not None:
        _check_name(context, body.item_name)
    if body.description is not None:
        _check_description(context, body.description)
    if body.category_id is not None:
        _check_category(body.category_id)
    if body.image is not None:
        _check_images(context, body.image.image_id_list)
    if body.weight is not None and body.weight <= 0:
        raise Refused("error_param", "The weight has to be more than 0.")
    item.name = item.name if body.item_name is None else body.item_name
    item.description = item.description if body.description is None else body.description
    item.category_id = item.category_id if body.category_id is None else body.category_id
    item.images = item.images if body.image is None else body.image.image_id_list
    item.weight = item.weight if body.weight is None else f"{body.weight:.3f}"
    item.sku = item.sku if body.item_sku is None else check_sku(context, body.item_sku)
    if body.pre_order is not None:
        item.days_to_ship = body.pre_order.days_to_ship if body.pre_order.is_pre_order else 0
    context.shop.touch(item)
    return views.base_info(item, context.config.tax_percent, context.image_host)


def unlist_item(context: Context) -> dict[str, Any]:
    body = read_body(context.body, UnlistItem)
    if not 1 <= len(body.item_list) <= 50:
        raise Refused("error_param", "Between 1 and 50 rows are allowed.")
    successes: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for row in body.item_list:
        item = context.shop.state.items.get(row.item_id)
        if item is None or item.deleted:
            failures.append({"item_id": row.item_id, "failed_reason": "The item is not found."})
        elif item.status in ("BANNED", "REVIEWING"):
            failures.append({"item_id": row.item_id, "failed_reason": "The item is under review or banned."})
        elif row.unlist and any(model.price_locked for model in item.models):
            failures.append({"item_id": row.item_id, "failed_reason": "The item is under promotion."})
        else:
            context.shop.set_status(item, "UNLIST" if row.unlist else "NORMAL")
            successes.append({"item_id": row.item_id, "unlist": row.unlist})
    return {"success_list": successes, "failure_list": failures}


def delete_item(context: Context) -> None:
    item = context.item(read_body(context.body, ItemId).item_id)
    if any(model.price_locked or model.stock_locked for model in item.models):
        raise Refused("error_cannt_delete_in_promotion", "The item is under promotion.")
    context.shop.set_status(item, "SELLER_DELETE")


def editable(context: Context, item_id: int) -> Item:
    item = context.item(item_id)
    if item.status == "BANNED":
        raise Refused("error_item_uneditable", "The item is banned and cannot be edited.")
    return item


def _check_name(context: Context, name: str) -> None:
    if len(name) < context.limits.name_min:
        raise Refused("error_item_name_is_too_short", "The name is too short.")
    if len(name) > context.limits.name_max:
        raise Refused("error_title_exceeds_max_length", "The name is too long.")


def _check_description(context: Context, description: str) -> None:
    if not context.limits.description_min <= len(description) <= context.limits.description_max:
        raise Refused("error_desc_length_min_limit", "The length of the description is out of range.")
    if description.count("#") > context.limits.hash_tags_max:
        raise Refused("error_desc_hash_tag_over_limit", "There are too many hash tags in the description.")


def _check_category(category_id: int) -> None:
    if not any(known == category_id and not has_children for known, _, _, has_children in CATEGORIES):
        raise Refused("error_invalid_category", "The category is unknown or has children.")


def _check_images(context: Context, images: list[str]) -> None:
    if not 1 <= len(images) <= context.limits.images_max:
        raise Refused("error_image_num_min", "The number of images is out of range.")
    if any(image not in context.shop.state.images and not image.startswith("sg-seed-") for image in images):
        raise Refused("error_image_unavailable", "An image is not there; upload it first.")


def check_sku(context: Context, sku: str) -> str:
    if len(sku) > context.limits.sku_max:
        raise Refused("error_param", "The SKU is too long.")
    return sku
