"""What every API call is given, and the field limits it checks against."""

from __future__ import annotations

from msgspec import Struct

from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.gate import Query, Refused
from services.simulators.shopee.shop import Item, Shop


class Limits(Struct, frozen=True, kw_only=True):
    """Of the Indonesian site, as remembered; the real ones differ per shop and category."""

    price_min: int = 100
    price_max: int = 1_000_000_000
    price_spread: int = 7
    stock_max: int = 999_999
    name_min: int = 5
    name_max: int = 255
    description_min: int = 20
    description_max: int = 3000
    hash_tags_max: int = 18
    images_max: int = 9
    tiers_max: int = 2
    models_max: int = 50
    sku_max: int = 100
    tier_name_max: int = 14
    tier_option_max: int = 20
    items_max: int = 100_000


class Context(Struct, frozen=True, kw_only=True):
    shop: Shop
    config: SimulatorConfig
    query: Query
    body: bytes
    image_host: str
    files: tuple[bytes, ...] = ()
    limits: Limits = Limits()
    short_by: int = 0
    """Rows by which a list page comes out shorter than asked, by an injected fault."""

    def item(self, item_id: int) -> Item:
        """Raises `Refused` for unknown and deleted items."""
        item = self.shop.state.items.get(item_id)
        if item is None or item.deleted:
            raise Refused("error_item_not_found", "The item is not found.")
        return item
