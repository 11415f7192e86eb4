"""The API's price and stock writes: a fate for each row, and the locks and rules that refuse some."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from services.simulators.shopee.calls import Context
from services.simulators.shopee.gate import Refused, read_body
from services.simulators.shopee.shop import NO_MODEL, Item, Model
from services.simulators.shopee.views import LOCATION

WRONG_MODEL = "Wrong model_id."
PRICE_IN_PROMOTION = "Price cannot be edited while the product is under promotion."
STOCK_IN_PROMOTION = "Stock cannot be edited while the product is under promotion."
BELOW_RESERVED = "Total stock cannot be lower than the reserved stock."
PRICE_LIMITS = "The price is out of the allowed range."
STOCK_LIMITS = "The stock is out of the allowed range."
SPREAD = "The highest variation price may be at most 7 times the lowest."

_WHOLE_ERROR = {
    PRICE_IN_PROMOTION: "error_cannt_edit_price_in_promotion",
    STOCK_IN_PROMOTION: "error_model_update_stock_model_in_promotion",
    BELOW_RESERVED: "error_auth",
    PRICE_LIMITS: "error_price_out_of_range",
    STOCK_LIMITS: "error_param",
}


class PriceRow(Struct):
    original_price: Decimal
    model_id: int = NO_MODEL


class PriceBody(Struct):
    item_id: int
    price_list: list[PriceRow]


class Stock(Struct):
    stock: int
    location_id: str = LOCATION


class StockRow(Struct):
    seller_stock: list[Stock]
    model_id: int = NO_MODEL


class StockBody(Struct):
    item_id: int
    stock_list: list[StockRow]


def update_price(context: Context) -> dict[str, Any]:
    body = read_body(context.body, PriceBody)
    _check_rows([row.model_id for row in body.price_list])
    item = context.shop.state.items.get(body.item_id)
    if item is None:
        raise Refused("error_item_not_found", "The item is not found.")
    if item.deleted:
        # The real one blames itself, and says so for ever.
        raise Refused("error_update_price_fail", "Update price failed, please try again later.")
    _check_level(item, [row.model_id for row in body.price_list], "error_edit_item_price_for_item_has_model")
    writes: list[tuple[Model, int]] = []
    failures: list[dict[str, Any]] = []
    for row in body.price_list:
        model = item.model(row.model_id)
        reason = _price_refusal(context, model, row.original_price)
        if model is None or reason:
            failures.append({"model_id": row.model_id, "failed_reason": reason})
        else:
            writes.append((model, int(row.original_price)))
    _check_spread(context, item, {model.model_id: price for model, price in writes})
    _refuse_if_none(writes, failures, "error_update_price_fail")
    for model, price in writes:
        context.shop.set_price(item, model, price)
    successes = [{"model_id": model.model_id, "original_price": price} for model, price in writes]
    return {"success_list": successes, "failure_list": failures}


def update_stock(context: Context) -> dict[str, Any]:
    body = read_body(context.body, StockBody)
    _check_rows([row.model_id for row in body.stock_list])
    item = context.item(body.item_id)
    if context.shop.state.holiday:
        raise Refused("error_holiday_mode_change_stock", "Stock cannot be changed in holiday mode.")
    _check_level(item, [row.model_id for row in body.stock_list], "error_edit_item_stock_for_item_has_model")
    writes: list[tuple[Model, int]] = []
    failures: list[dict[str, Any]] = []
    for row in body.stock_list:
        if any(place.location_id != LOCATION for place in row.seller_stock) or len(row.seller_stock) != 1:
            raise Refused("error_auth", "The location_id is wrong or missing.")
        model = item.model(row.model_id)
        stock = row.seller_stock[0].stock
        reason = _stock_refusal(context, model, stock)
        if model is None or reason:
            failures.append({"model_id": row.model_id, "failed_reason": reason})
        else:
            writes.append((model, stock))
    _refuse_if_none(writes, failures, "error_busi_update_stock_failed")
    for model, stock in writes:
        context.shop.set_stock(item, model, stock)
    successes = [{"model_id": model.model_id, "location_id": LOCATION, "stock": stock} for model, stock in writes]
    return {"success_list": successes, "failure_list": failures}


def check_price(context: Context, price: Decimal) -> int:
    """Whole rupiah. Raises `Refused`."""
    if price != int(price) or price <= 0:
        raise Refused("error_invalid_price", "Invalid price.")
    if price < context.limits.price_min:
        raise Refused("error_price_exceed_min_limitt", "The price is lower than the limit.")
    if price > context.limits.price_max:
        raise Refused("error_price_exceed_max_limitt", "The price is higher than the limit.")
    return int(price)


def check_stock(context: Context, stock: int) -> int:
    if not 0 <= stock <= context.limits.stock_max:
        raise Refused("error_param", "The stock is out of the allowed range.")
    return stock


def check_spread(context: Context, prices: list[int]) -> None:
    """Raises `Refused` when the highest price is more than 7 times the lowest."""
    if prices and max(prices) > context.limits.price_spread * min(prices):
        raise Refused("error_invalid_price", SPREAD)


def _check_spread(context: Context, item: Item, new: dict[int, int]) -> None:
    if new:
        check_spread(context, [new.get(model.model_id, model.price) for model in item.models])


def _check_rows(model_ids: list[int]) -> None:
    if not 1 <= len(model_ids) <= 50:
        raise Refused("error_param", "Between 1 and 50 rows are allowed.")
    if len(set(model_ids)) != len(model_ids):
        raise Refused("error_param", "Repeat model_id.")


def _check_level(item: Item, model_ids: list[int], error: str) -> None:
    if item.status == "BANNED":
        raise Refused("error_item_uneditable", "The item is banned and cannot be edited.")
    if item.tiers and NO_MODEL in model_ids:
        raise Refused(error, "The item has variations; edit those.")


def _price_refusal(context: Context, model: Model | None, price: Decimal) -> str:
    if model is None:
        return WRONG_MODEL
    if model.price_locked:
        return PRICE_IN_PROMOTION
    if price != int(price) or not context.limits.price_min <= price <= context.limits.price_max:
        return PRICE_LIMITS
    return ""


def _stock_refusal(context: Context, model: Model | None, stock: int) -> str:
    if model is None:
        return WRONG_MODEL
    if model.stock_locked:
        return STOCK_IN_PROMOTION
    if not 0 <= stock <= context.limits.stock_max:
        return STOCK_LIMITS
    if stock < model.reserved:
        return BELOW_RESERVED
    return ""


def _refuse_if_none(writes: list[tuple[Model, int]], failures: list[dict[str, Any]], mixed: str) -> None:
    """With no row taken the call as a whole is refused: by the reason they share, or by a general one with the rows."""
    if writes:
        return
    reasons = {failure["failed_reason"] for failure in failures}
    if len(reasons) == 1 and (error := _WHOLE_ERROR.get(next(iter(reasons)))):
        raise Refused(error, next(iter(reasons)))
    raise Refused(mixed, "The update failed.", response={"success_list": [], "failure_list": failures})
