"""Shopee's answers, in the fields that we read. What Shopee may leave out or send as null has a default."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Raw, Struct


class ListedItem(Struct, frozen=True):
    item_id: int
    item_status: str
    update_time: int


class ItemList(Struct, frozen=True):
    has_next_page: bool
    item: list[ListedItem] = []
    next_offset: int | None = None
    total_count: int | None = None


class SearchResult(Struct, frozen=True):
    item_id_list: list[int] | None = None
    next_offset: str | None = None


class PriceInfo(Struct, frozen=True):
    original_price: Decimal


class StockSummary(Struct, frozen=True):
    total_reserved_stock: int = 0


class SellerStock(Struct, frozen=True):
    stock: int


class StockInfo(Struct, frozen=True):
    summary_info: StockSummary = StockSummary()
    seller_stock: list[SellerStock] | None = None


class ImageInfo(Struct, frozen=True):
    image_url_list: list[str] | None = None
    image_id_list: list[str] | None = None


class ItemInfo(Struct, frozen=True):
    """An item of `get_item_base_info`, in the fields we read."""

    item_id: int
    item_status: str
    item_name: str
    update_time: int
    item_sku: str | None = None
    description: str | None = None
    category_id: int | None = None
    weight: Decimal | None = None
    image: ImageInfo | None = None
    has_model: bool = False
    has_promotion: bool = False
    price_info: list[PriceInfo] | None = None
    stock_info_v2: StockInfo | None = None


class ItemInfos(Struct, frozen=True):
    item_list: list[ItemInfo] | None = None


class TierOption(Struct, frozen=True):
    option: str


class Tier(Struct, frozen=True):
    name: str
    option_list: list[TierOption]


class Model(Struct, frozen=True):
    model_id: int
    tier_index: list[int]
    model_sku: str | None = None
    price_info: list[PriceInfo] | None = None
    stock_info_v2: StockInfo | None = None
    has_promotion: bool = False


class ModelList(Struct, frozen=True):
    tier_variation: list[Tier] | None = None
    model: list[Model] | None = None


class AddedItem(Struct, frozen=True):
    item_id: int


class Channel(Struct, frozen=True):
    logistics_channel_id: int
    enabled: bool


class ChannelList(Struct, frozen=True):
    logistics_channel_list: list[Channel] | None = None


class UploadedImage(Struct, frozen=True):
    image_id: str


class UploadRow(Struct, frozen=True):
    id: int = 0
    error: str | None = ""
    message: str | None = ""
    image_info: UploadedImage | None = None


class Uploads(Struct, frozen=True):
    image_info: UploadedImage | None = None
    image_info_list: list[UploadRow] | None = None


class ResultRow(Struct, frozen=True):
    """A row of any success_list or failure_list."""

    model_id: int | None = None
    item_id: int | None = None
    original_price: Decimal | None = None
    stock: int | None = None
    unlist: bool | None = None
    failed_reason: str = ""


class RowLists(Struct, frozen=True):
    success_list: list[ResultRow] | None = None
    failure_list: list[ResultRow] | None = None


class LostMessages(Struct, frozen=True):
    has_next_page: bool = False
    push_message_list: list[Raw] | None = None
    last_message_id: int | None = None
