"""The API's writes about an item's variants."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.simulators.shopee import views
from services.simulators.shopee.calls import Context
from services.simulators.shopee.gate import Refused, read_body
from services.simulators.shopee.goods import check_sku, editable
from services.simulators.shopee.offers import Stock, check_price, check_spread, check_stock
from services.simulators.shopee.shop import NO_MODEL, Model, Tier


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


def init_tier_variation(context: Context) -> dict[str, Any]:
    body = read_body(context.body, InitTierVariation)
    item = editable(context, body.item_id)
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
    item = editable(context, body.item_id)
    if not item.tiers:
        raise Refused("error_param", "The item has no variations.")
    added = [_model(context, item.tiers, row) for row in body.model_list]
    _check_models(context, item.models + added)
    item.models = item.models + added
    context.shop.touch(item)
    return {"model": _infos(context, added)}


def update_model(context: Context) -> dict[str, Any]:
    body = read_body(context.body, UpdateModel)
    item = editable(context, body.item_id)
    edits = []
    for row in body.model:
        model = item.model(row.model_id) if item.tiers else None
        if model is None:
            raise Refused("error_model_invalid_model_id", "Wrong model_id.")
        edits.append((model, row))
    for model, row in edits:
        if row.model_sku is not None:
            model.sku = check_sku(context, row.model_sku)
    context.shop.touch(item)
    return {"model": _infos(context, [model for model, _ in edits])}


def delete_model(context: Context) -> None:
    body = read_body(context.body, DeleteModel)
    item = editable(context, body.item_id)
    model = item.model(body.model_id) if item.tiers else None
    if model is None:
        raise Refused("error_model_invalid_model_id", "Wrong model_id.")
    if len(item.models) == 1:
        raise Refused("error_param", "The last model cannot be deleted.")
    if model.price_locked or model.stock_locked:
        raise Refused("error_cannt_delete_in_promotion", "The model is under promotion.")
    item.models = [other for other in item.models if other is not model]
    context.shop.touch(item)


def _model(context: Context, tiers: list[Tier], row: NewModel) -> Model:
    fits = len(row.tier_index) == len(tiers) and all(
        0 <= index < len(tier.options) for index, tier in zip(row.tier_index, tiers, strict=False)
    )
    if not fits:
        raise Refused("error_model_tier_index_bound", "The tier_index is out of range.")
    return Model(
        model_id=context.shop.next_id(),
        tier_index=row.tier_index,
        sku=check_sku(context, row.model_sku),
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
