"""Which values the fields of a listing can have."""

from __future__ import annotations

import pytest

from domain.errors import Refusal
from domain.listing.events import Value
from domain.listing.fields import check_value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price:A", 1),
        ("price:A:B", 9_999_999_999),
        ("stock:A", 0),
        ("weight", 300),
        ("listed", False),
        ("title", "Kemeja"),
        ("description", "Dua baris\nteks"),
        ("images", ("https://images.example/1.jpg",)),
    ],
)
def test_a_fitting_value_is_taken(field: str, value: Value) -> None:
    check_value(field, value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price:A", 0),
        ("price:A", 10_000_000_000),
        ("price:A", True),
        ("price:A", "1000"),
        ("stock:A", -1),
        ("stock:A", None),
        ("weight", 0),
        ("listed", 1),
        ("title", ""),
        ("title", 7),
        ("title", "a" * 501),
        ("description", "\x00"),
        ("images", "https://images.example/1.jpg"),
    ],
)
def test_another_value_is_refused(field: str, value: Value) -> None:
    with pytest.raises(Refusal):
        check_value(field, value)
