"""Goods and orders in the shapes in which Shopee shows them."""

from __future__ import annotations

from typing import Any

from services.simulators.shopee.shop import Item, Model

LOCATION = "IDZ"


def base_info(item: Item, tax_percent: int, image_host: str) -> dict[str, Any]:
    """An entry of `get_item_base_info`; price and stock stand here only when there are no variants."""
    info: dict[str, Any] = {
        "item_id": item.item_id,
        "category_id": item.category_id,
        "item_name": item.name,
        "description": item.description,
        "item_sku": item.sku,
        "create_time": item.create_time,
        "update_time": item.update_time,
        "attribute_list": [],
        "image": {
            "image_url_list": [f"{image_host}/_simulator/images/{image}" for image in item.images],
            "image_id_list": item.images,
        },
        "weight": item.weight,
        "dimension": {"package_length": 30, "package_width": 20, "package_height": 3},
        "logistic_info": [{"logistic_id": channel, "enabled": True} for channel in item.channels],
        "pre_order": {"is_pre_order": item.days_to_ship > 0, "days_to_ship": item.days_to_ship or 2},
        "condition": "NEW",
        "item_status": item.status,
        "has_model": bool(item.tiers),
        "has_promotion": any(model.price_locked or model.stock_locked for model in item.models),
        "brand": {"brand_id": 0, "original_brand_name": "NoBrand"},
        "description_type": "normal",
        "gtin_code": "",
    }
    if not item.tiers:
        info["price_info"] = price_info(item.models[0], tax_percent)
        info["stock_info_v2"] = stock_info(item.models[0])
    return info


def model_info(model: Model, tax_percent: int) -> dict[str, Any]:
    return {
        "model_id": model.model_id,
        "tier_index": model.tier_index,
        "model_sku": model.sku,
        "model_status": "MODEL_NORMAL",
        "price_info": price_info(model, tax_percent),
        "stock_info_v2": stock_info(model),
        "has_promotion": model.price_locked or model.stock_locked,
        "promotion_id": 7001 if model.price_locked or model.stock_locked else 0,
        "gtin_code": "",
    }


def tiers(item: Item) -> list[dict[str, Any]]:
    return [{"name": tier.name, "option_list": [{"option": option} for option in tier.options]} for tier in item.tiers]


def price_info(model: Model, tax_percent: int) -> list[dict[str, Any]]:
    """`inflated_*` carry the tax that Indonesian sellers' prices are shown with; a seller sets `original_price`."""
    current = model.price * 9 // 10 if model.price_locked else model.price
    return [
        {
            "currency": "IDR",
            "original_price": model.price,
            "current_price": current,
            "inflated_price_of_original_price": model.price * (100 + tax_percent) // 100,
            "inflated_price_of_current_price": current * (100 + tax_percent) // 100,
        }
    ]


def stock_info(model: Model) -> dict[str, Any]:
    return {
        "summary_info": {
            "total_reserved_stock": model.reserved,
            "total_available_stock": model.stock - model.reserved,
        },
        "seller_stock": [{"location_id": LOCATION, "stock": model.stock, "if_saleable": True}],
        "shopee_stock": [],
    }
