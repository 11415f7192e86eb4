"""Shopee's JSON and our neutral values, each way. Prices are read as Decimal and never pass through a float."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from domain.policies.retry import ErrorClass
from domain.values import Option
from infrastructure.platforms.connector import (
    DraftVariant,
    ExternalListing,
    ListedVariant,
    ListingDraft,
    ListingPage,
    ListingStatus,
    ListingSummary,
    PlatformCallFailed,
    PlatformError,
)
from infrastructure.platforms.shopee.wire import ImageInfo, ItemInfo, ItemList, ModelList, PriceInfo, StockInfo

NO_MODEL: Final = 0
"""The model id that stands for "this item has no variants"."""

_STATUS: Final = {
    "NORMAL": ListingStatus.LIVE,
    "UNLIST": ListingStatus.UNLISTED,
    "REVIEWING": ListingStatus.IN_REVIEW,
    "BANNED": ListingStatus.BANNED,
    "SELLER_DELETE": ListingStatus.DELETED,
    "SHOPEE_DELETE": ListingStatus.DELETED,
}


def rupiah(value: Decimal) -> int:
    """Whole rupiah, half up; the Indonesian site only sends whole ones."""
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def number(external_id: str) -> int:
    """Shopee's ids are numbers; anything else cannot be one of its listings."""
    if external_id.isascii() and external_id.isdigit():
        return int(external_id)
    raise PlatformCallFailed(
        PlatformError(
            error_class=ErrorClass.MISSING,
            code="not_a_shopee_id",
            message=f"{external_id!r} is not an id that Shopee gives; link the listing again",
            hint="listing_missing",
        )
    )


def listing_page(page: ItemList, cursor_of: str) -> ListingPage:
    """`cursor_of` is put behind the offset; it carries what has to stay the same over all pages."""
    items = tuple(
        ListingSummary(
            external_id=str(item.item_id), status=_status(item.item_status), updated_at=moment(item.update_time)
        )
        for item in page.item
    )
    following = None
    if page.has_next_page:
        if page.next_offset is None:
            raise PlatformCallFailed(
                PlatformError(
                    error_class=ErrorClass.SERVER,
                    code="malformed_answer",
                    message="has_next_page without next_offset",
                    hint="platform_failing",
                )
            )
        following = f"{page.next_offset}{cursor_of}"
    return ListingPage(items=items, next_cursor=following, total=page.total_count)


def listing(item: ItemInfo, models: ModelList | None) -> ExternalListing:
    """`models` is needed where the item has variants."""
    image = item.image or ImageInfo()
    return ExternalListing(
        external_id=str(item.item_id),
        sku=item.item_sku or "",
        title=item.item_name,
        description=item.description or "",
        status=_status(item.item_status),
        images=tuple(image.image_url_list or image.image_id_list or ()),
        weight_kg=item.weight,
        category_id="" if item.category_id is None else str(item.category_id),
        updated_at=moment(item.update_time),
        variants=_variants(item, models),
    )


def item_fields(draft: ListingDraft, image_ids: list[str], channels: list[int]) -> dict[str, Any]:
    """The body of `add_item`. With variants to follow, its price stands in for theirs and its stock is 0.

    Raises `PlatformCallFailed` when the category is none of Shopee's.
    """
    first = draft.variants[0]
    if not (draft.category_id.isascii() and draft.category_id.isdigit()):
        raise PlatformCallFailed(
            PlatformError(
                error_class=ErrorClass.VALID,
                code="not_a_shopee_category",
                message=f"{draft.category_id!r} is no category number; map the product's category to one",
                hint="category_refused",
            )
        )
    body: dict[str, Any] = {
        "original_price": first.price,
        "description": draft.description,
        "weight": draft.weight_kg,
        "item_name": draft.title,
        "item_sku": draft.sku if first.options else first.sku,
        "category_id": int(draft.category_id),
        "image": {"image_id_list": image_ids},
        "logistic_info": [{"logistic_id": channel, "enabled": True} for channel in channels],
        "seller_stock": [{"stock": 0 if first.options else first.stock}],
        "condition": "NEW",
        "brand": {"brand_id": 0, "original_brand_name": "NoBrand"},
        "item_status": "NORMAL",
    }
    if draft.days_to_ship is not None:
        body["pre_order"] = {"is_pre_order": True, "days_to_ship": draft.days_to_ship}
    return body


def variation_fields(variants: tuple[DraftVariant, ...]) -> dict[str, Any]:
    """The body of `init_tier_variation`: option names and values in order of first appearance, zero ids for our own."""
    tiers: list[tuple[str, list[str]]] = [(option.name, []) for option in variants[0].options]
    models = []
    for variant in variants:
        index = []
        for (_, values), option in zip(tiers, variant.options, strict=True):
            if option.value not in values:
                values.append(option.value)
            index.append(values.index(option.value))
        models.append(
            {
                "tier_index": index,
                "original_price": variant.price,
                "model_sku": variant.sku,
                "seller_stock": [{"stock": variant.stock}],
            }
        )
    return {
        "standardise_tier_variation": [
            {
                "variation_id": 0,
                "variation_name": name,
                "variation_option_list": [
                    {"variation_option_id": 0, "variation_option_name": value} for value in values
                ],
            }
            for name, values in tiers
        ],
        "model": models,
    }


def _variants(item: ItemInfo, models: ModelList | None) -> tuple[ListedVariant, ...]:
    if not item.has_model:
        return (
            ListedVariant(
                external_id=None,
                sku=item.item_sku or "",
                price=_price(item.price_info),
                stock=_stock(item.stock_info_v2),
                reserved=_reserved(item.stock_info_v2),
                in_promotion=item.has_promotion,
            ),
        )
    models = models or ModelList()
    tiers = models.tier_variation or []
    return tuple(
        ListedVariant(
            external_id=str(model.model_id),
            sku=model.model_sku or "",
            options=tuple(
                Option(tier.name, tier.option_list[index].option)
                for tier, index in zip(tiers, model.tier_index, strict=False)
                if index < len(tier.option_list)
            ),
            price=_price(model.price_info),
            stock=_stock(model.stock_info_v2),
            reserved=_reserved(model.stock_info_v2),
            in_promotion=model.has_promotion,
        )
        for model in models.model or []
    )


def _status(name: str) -> ListingStatus:
    return _STATUS.get(name, ListingStatus.IN_REVIEW)


def _price(infos: list[PriceInfo] | None) -> int:
    """The seller's own price; `inflated_price` fields add tax and `current_price` promotions."""
    return rupiah(infos[0].original_price) if infos else 0


def _stock(info: StockInfo | None) -> int:
    return sum(row.stock for row in info.seller_stock or ()) if info else 0


def _reserved(info: StockInfo | None) -> int:
    return info.summary_info.total_reserved_stock if info else 0
