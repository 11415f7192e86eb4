from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.price_checks import (
    PriceBounds,
    PriceGuard,
    bundle_exceeds_parts,
    changes_by_more,
    check_bounds,
    guard,
)
from domain.policies.pricing import FeeStack, Markup, PricingRule, default_rule, quote
from domain.policies.pricing_rule import SHOPEE_FEES
from domain.values import Platform

SHOPEE = PriceBounds(max_variant_ratio=7)
TIKTOK = PriceBounds(minimum=100, maximum=100_000_000, warn_below=2_000)
LAZADA = PriceBounds(review_above_change_percent=Decimal(80))
AT_SHOPEE = default_rule(Platform.SHOPEE)
STACKED = PricingRule(rule_id="stack", version=1, strategy=FeeStack(), fees=SHOPEE_FEES)
PLAIN = PricingRule(rule_id="plain", version=1, strategy=Markup(factor=Decimal(1)))


@pytest.mark.parametrize(
    ("base", "rule", "previous", "cost", "code"),
    [
        (100_000, AT_SHOPEE, 115_000, 70_000, None),
        (100_000, AT_SHOPEE, None, None, None),
        (120_000, AT_SHOPEE, 115_000, 70_000, None),
        (120_001, AT_SHOPEE, 115_000, 70_000, "change_too_large"),
        (79_999, AT_SHOPEE, 115_000, 40_000, "change_too_large"),
        (100_000, AT_SHOPEE, 115_000, 94_415, None),
        (100_000, AT_SHOPEE, 115_000, 94_416, "below_cost"),
        (100_000, PLAIN, None, 100_001, "below_cost"),
        (90_000_000, STACKED, None, None, "clamped_to_maximum"),
        (500, STACKED, None, None, None),
    ],
)
def test_a_guard_holds_what_nobody_should_sell_by_accident(
    base: int, rule: PricingRule, previous: int | None, cost: int | None, code: str | None
) -> None:
    held = guard(quote(base, rule), previous=previous, cost=cost, limits=PriceGuard())
    assert (held and held.code) == code
    assert held is None or held.reason


def test_a_guard_can_be_told_to_let_prices_through() -> None:
    lenient = PriceGuard(max_change_percent=None, below_cost=True)
    assert guard(quote(1, PLAIN), previous=1_000_000, cost=500, limits=lenient) is None


@pytest.mark.parametrize(
    ("bounds", "prices", "previous", "findings"),
    [
        (SHOPEE, {"A": 10_000, "B": 70_000}, {}, []),
        (SHOPEE, {"A": 10_000, "B": 70_001}, {}, [("variant_ratio_too_large", None, True)]),
        (SHOPEE, {}, {}, []),
        (SHOPEE, {"A": 0}, {}, [("price_below_minimum", "A", True)]),
        (TIKTOK, {"A": 100_000_000, "B": 2_000}, {}, []),
        (TIKTOK, {"A": 100_000_001}, {}, [("price_above_maximum", "A", True)]),
        (TIKTOK, {"A": 99}, {}, [("price_below_minimum", "A", True)]),
        (
            TIKTOK,
            {"A": 100, "B": 1_999},
            {},
            [("price_unusually_low", "A", False), ("price_unusually_low", "B", False)],
        ),
        (LAZADA, {"A": 180_000}, {"A": 100_000}, []),
        (LAZADA, {"A": 180_001}, {"A": 100_000}, [("price_change_reviewed", "A", False)]),
        (LAZADA, {"A": 180_001}, {"B": 100_000}, []),
    ],
)
def test_a_platforms_bounds_are_checked_before_it_is_asked(
    bounds: PriceBounds, prices: dict[str, int], previous: dict[str, int], findings: list[tuple[str, str | None, bool]]
) -> None:
    found = check_bounds(prices, bounds, previous=previous)
    assert [(finding.code, finding.sku, finding.blocking) for finding in found] == findings
    assert all(finding.message for finding in found)


@pytest.mark.parametrize(("base", "exceeded"), [(190_000, 225_588), (185_000, None)])
def test_a_bundle_may_not_cost_more_than_its_parts(base: int, exceeded: int | None) -> None:
    tiktok = default_rule(Platform.TIKTOK_SHOP)
    parts = {"KOPI-GYO-250": (quote(85_000, tiktok).price, 2), "SMB-BWG-150": (quote(17_990, tiktok).price, 1)}
    assert bundle_exceeds_parts(quote(base, tiktok).price, parts) == exceeded


@given(st.integers(0, 10**10), st.integers(0, 10**10), st.decimals(0, 1000, places=3))
def test_a_change_is_measured_exactly(old: int, new: int, percent: Decimal) -> None:
    thousandths = int(percent * 1000)
    assert changes_by_more(old, new, percent) is (abs(new - old) * 100_000 > thousandths * old)
