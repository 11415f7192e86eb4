"""Values that more than one aggregate speaks of, and their limits."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct

MAX_PRICE: Final = 9_999_999_999
"""Rupiah: the integer part of DECIMAL(12,2) (R4)."""

NAMESPACE: Final = UUID("5b0c1f5e-7a63-5d0e-9a5e-3f6f3c1f8f10")
"""Under which derived ids are made, so that two processes derive the same one."""


class Platform(StrEnum):
    """Where a catalogue can be shown. Values are wire names."""

    SHOPEE = "shopee"
    TIKTOK_SHOP = "tiktok_shop"
    LAZADA = "lazada"
    BLIBLI = "blibli"
    WEBSITE = "website"


class ProductStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class Image(Struct, frozen=True):
    url: str
    alt: str = ""
    primary: bool = False


class Dimensions(Struct, frozen=True, kw_only=True):
    """Weight in kilograms (three decimals), lengths in centimetres (two decimals); None where unknown (R5)."""

    weight_kg: Decimal | None = None
    length_cm: Decimal | None = None
    width_cm: Decimal | None = None
    height_cm: Decimal | None = None


class Option(Struct, frozen=True):
    """One property in which variants differ, such as name "Warna", value "Hitam"."""

    name: str
    value: str


class Variant(Struct, frozen=True, kw_only=True):
    """What is bought: it has the SKU. A product without variants has exactly one, with no options."""

    sku: str
    options: tuple[Option, ...] = ()
    base_price: int | None = None
    """Whole rupiah where it differs from the product's own."""


def stream_id(category: str, identity: str) -> str:
    return f"{category}-{identity}"


def category_of(stream: str) -> str:
    return stream.partition("-")[0]


def identity_of(stream: str) -> str:
    return stream.partition("-")[2]


def listing_id(connection_id: str, product_id: str) -> str:
    """A product is listed at most once per connection, so the pair is the identity."""
    return f"{connection_id}.{product_id}"


def parts_of_listing(listing: str) -> tuple[str, str]:
    """(connection id, product id); neither contains a dot."""
    connection, _, product = listing.rpartition(".")
    return connection, product


def stock_id(org_id: str, sku: str, warehouse: str) -> str:
    """The stock unit of a SKU in a warehouse; SKUs are compared without regard to case."""
    return str(uuid5(NAMESPACE, f"stock/{org_id}/{sku.casefold()}/{warehouse.casefold()}"))


def fingerprint(*parts: bytes) -> bytes:
    """A digest that tells two requests apart, for idempotency keys."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
