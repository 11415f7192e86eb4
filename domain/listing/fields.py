"""What the fields of a listing are called, and which values each can have."""

from __future__ import annotations

from typing import Final

from domain.errors import Refusal
from domain.listing.events import Value
from domain.product import limits
from domain.values import MAX_PRICE

TITLE: Final = "title"
DESCRIPTION: Final = "description"
IMAGES: Final = "images"
WEIGHT: Final = "weight"
"""Grams."""
LISTED: Final = "listed"
"""Whether it is for sale."""

MAX_PIECES: Final = 1_000_000_000
MAX_GRAMS: Final = 99_999_999


class InvalidValue(Refusal):
    code = "conflict_value_invalid"
    remedy = "Give a value that the field can have: whole rupiah, pieces or grams, a text, or true or false."


def price_field(sku: str) -> str:
    return f"price:{sku}"


def stock_field(sku: str) -> str:
    return f"stock:{sku}"


def check_value(field: str, value: Value) -> None:
    """Raises InvalidValue, and what `domain.product.limits` has against a text."""
    match field.partition(":")[0]:
        case "price":
            _check_whole(field, value, 1, MAX_PRICE)
        case "stock":
            _check_whole(field, value, 0, MAX_PIECES)
        case "weight":
            _check_whole(field, value, 1, MAX_GRAMS)
        case "listed":
            _check(field, value, is_fit=type(value) is bool)
        case "title":
            _check(field, value, is_fit=isinstance(value, str))
            limits.check_name(str(value))
        case "description":
            _check(field, value, is_fit=isinstance(value, str))
            limits.check_text("value", str(value))
        case _:
            _check(field, value, is_fit=isinstance(value, tuple))


def _check_whole(field: str, value: Value, lowest: int, highest: int) -> None:
    # bool is an int.
    _check(field, value, is_fit=type(value) is int and lowest <= value <= highest)


def _check(field: str, value: Value, *, is_fit: bool) -> None:
    if not is_fit:
        raise InvalidValue(f"{value!r} cannot be the value of {field}", field="value")
