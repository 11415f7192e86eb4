"""What a Shopee shop can do, and the bounds of what it takes."""

from __future__ import annotations

from typing import Final

from domain.listing.events import FieldGroup
from infrastructure.platforms.connector import Capabilities
from infrastructure.platforms.shopee import requests

CAPABILITIES: Final = Capabilities(
    name="shopee",
    list_page=requests.PAGE,
    read_batch=requests.IDS_PER_READ,
    rows_per_write=requests.ROWS_PER_WRITE,
    price_min=100,
    price_max=1_000_000_000,
    price_spread=7,
    title_min=5,
    title_max=255,
    description_min=20,
    description_max=3000,
    images_max=9,
    stock_min=0,
    stock_max=999_999,
    variants_max=50,
    option_levels_max=2,
    stock_delta=False,
    idempotent_create=False,
    pushable=frozenset(FieldGroup),
)
"""Defaults of the Indonesian site; the true bounds are per shop and category (`get_item_limit`)."""
