"""The API's writes that make, change and remove items and variants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.simulators.shopee import views
from services.simulators.shopee.calls import Context
from services.simulators.shopee.gate import Refused, read_body
from services.simulators.shopee.offers import Stock, check_price, check_spread, check_stock
from services.simulators.shopee.reading import CATEGORIES
from services.simulators.shopee.shop import NO_MODEL, Item, Model, Tier


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


class VariationOption(Struct):
    variation_option_name: str
    variation_option_id: int = 0


class Variation(Struct):
    variation_name: str
    variation_option_list: list[VariationOption]
    variation_id: int = 0


class NewModel(Struct):
    tier_index: list[int]
    original_price: Decimal
    seller_stock: list[Stock] = []
    model_sku: str = ""


class InitTierVariation(Struct):
    item_id: int
    standardise_tier_variation: list[Variation]
    model: list[NewModel]


class AddModel(Struct):
    item_id: int
    model_list: list[NewModel]


class ModelEdit(Struct):
    model_id: int
    model_sku: str | None = None


class UpdateModel(Struct):
    item_id: int
    model: list[ModelEdit]


class DeleteModel(Struct):
    item_id: int
    model_id: int


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
        sku=_check_sku(context, body.item_sku),
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
    item = _editable(context, body.item_id)
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
    item.sku = item.sku if body.item_sku is None else _check_sku(context, body.item_sku)
    if body.pre_order is not None:
        item.days_to_ship = body.pre_order.days_to_ship if body.pre_order.is_pre_order else 0
    context.shop.touch(item)
    return views.base_info(item, context.config.tax_percent, context.image_host)


def init_tier_variation(context: Context) -> dict[str, Any]:
    body = read_body(context.body, InitTierVariation)
    item = _editable(context, body.item_id)
    if context.shop.now() < item.variable_from:
        raise Refused("error_item_not_found", "The item is not found.")
    if any(model.reserved for model in item.models):
        raise Refused("error_item_uneditable", "Variations cannot be changed while orders are open.")
    limits = context.limits
    tiers = [
        Tier(name=tier.variation_name, options=[option.variation_option_name for option in tier.variation_option_list])
        for tier in body.standardise_tier_variation
    ]
    if len(tiers) > limits.tiers_max:
        raise Refused("error_tier_var_too_many", f"At most {limits.tiers_max} variations are allowed.")
    for tier in tiers:
        if not 1 <= len(tier.name) <= limits.tier_name_max:
            raise Refused("error_tier_var_name_too_long", "The name of a variation is too long.")
        if any(not 1 <= len(option) <= limits.tier_option_max for option in tier.options):
            raise Refused("error_tier_opt_val_too_long", "An option of a variation is too long.")
    models = [_model(context, tiers, row) for row in body.model]
    _check_models(context, models)
    if not tiers:
        if len(models) != 1:
            raise Refused("error_param", "Without variations there is one model with an empty tier_index.")
        models[0].model_id = NO_MODEL
    item.tiers = tiers
    item.models = models
    context.shop.touch(item)
    return {"item_id": item.item_id, "tier_variation": views.tiers(item), "model": _infos(context, models)}


def add_model(context: Context) -> dict[str, Any]:
    body = read_body(context.body, AddModel)
    item = _editable(context, body.item_id)
    if not item.tiers:
        raise Refused("error_param", "The item has no variations.")
    added = [_model(context, item.tiers, row) for row in body.model_list]
    _check_models(context, item.models + added)
    item.models = item.models + added
    context.shop.touch(item)
    return {"model": _infos(context, added)}


def update_model(context: Context) -> dict[str, Any]:
    body = read_body(context.body, UpdateModel)
    item = _editable(context, body.item_id)
    edits = []
    for row in body.model:
        model = item.model(row.model_id) if item.tiers else None
        if model is None:
            raise Refused("error_model_invalid_model_id", "Wrong model_id.")
        edits.append((model, row))
    for model, row in edits:
        if row.model_sku is not None:
            model.sku = _check_sku(context, row.model_sku)
    context.shop.touch(item)
    return {"model": _infos(context, [model for model, _ in edits])}


def delete_model(context: Context) -> None:
    body = read_body(context.body, DeleteModel)
    item = _editable(context, body.item_id)
    model = item.model(body.model_id) if item.tiers else None
    if model is None:
        raise Refused("error_model_invalid_model_id", "Wrong model_id.")
    if len(item.models) == 1:
        raise Refused("error_param", "The last model cannot be deleted.")
    if model.price_locked or model.stock_locked:
        raise Refused("error_cannt_delete_in_promotion", "The model is under promotion.")
    item.models = [other for other in item.models if other is not model]
    context.shop.touch(item)


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


def _editable(context: Context, item_id: int) -> Item:
    item = context.item(item_id)
    if item.status == "BANNED":
        raise Refused("error_item_uneditable", "The item is banned and cannot be edited.")
    return item


def _model(context: Context, tiers: list[Tier], row: NewModel) -> Model:
    fits = len(row.tier_index) == len(tiers) and all(
        0 <= index < len(tier.options) for index, tier in zip(row.tier_index, tiers, strict=False)
    )
    if not fits:
        raise Refused("error_model_tier_index_bound", "The tier_index is out of range.")
    return Model(
        model_id=context.shop.next_id(),
        tier_index=row.tier_index,
        sku=_check_sku(context, row.model_sku),
        price=check_price(context, row.original_price),
        stock=check_stock(context, sum(place.stock for place in row.seller_stock)),
    )


def _check_models(context: Context, models: list[Model]) -> None:
    if not 1 <= len(models) <= context.limits.models_max:
        raise Refused("error_model_count_over_limit", f"At most {context.limits.models_max} models are allowed.")
    if len({tuple(model.tier_index) for model in models}) != len(models):
        raise Refused("error_model_duplicate_tier_variation_index", "A tier_index occurs twice.")
    check_spread(context, [model.price for model in models])


def _infos(context: Context, models: list[Model]) -> list[dict[str, Any]]:
    return [views.model_info(model, context.config.tax_percent) for model in models]


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


def _check_sku(context: Context, sku: str) -> str:
    if len(sku) > context.limits.sku_max:
        raise Refused("error_param", "The SKU is too long.")
    return sku
