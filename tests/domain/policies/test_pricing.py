from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.pricing import (
    Clamp,
    Fees,
    FeeStack,
    GrossUp,
    InvalidBasePrice,
    InvalidPricingRule,
    Markup,
    Part,
    PriceTooLarge,
    PricingRule,
    Rounding,
    Strategy,
    UnknownPlatform,
    default_rule,
    quote,
)
from domain.policies.pricing_rule import SHOPEE_FEES, TIKTOK_SHOP_FEES
from domain.values import MAX_PRICE, Platform

WIDE = Context(prec=80)


def rule(strategy: Strategy, fees: Fees | None = SHOPEE_FEES, ending: int | None = None) -> PricingRule:
    return PricingRule(rule_id="r", version=3, strategy=strategy, fees=fees, ending=ending)


SHOPEE_STACK = rule(FeeStack(), SHOPEE_FEES)
TIKTOK_STACK = rule(FeeStack(), TIKTOK_SHOP_FEES)


@pytest.mark.parametrize(
    ("base", "shopee_exact", "shopee", "tiktok"),
    [
        (85_000, "97750", 97_750, 102_000),
        (100_000, "115000", 115_000, 120_000),
        (150_000, "172500", 172_500, 180_000),
        (189_000, "217350", 217_350, 226_800),
        (17_990, "20688.5", 20_689, 21_588),
        (1_290, "1483.5", 1_484, 1_548),
        (500, "575", 575, 600),
        (845, "971.75", 972, 1_014),
        (846, "972.90", 973, 1_015),
        (84_505_852, "97181729.8", 97_181_730, 101_407_022),
        (84_505_853, "97181730.95", 97_181_731, 101_407_024),
        (199_000, "228850", 228_850, 238_800),
        (195_000, "224250", 224_250, 234_000),
        (190_000, "218500", 218_500, 228_000),
        (185_000, "212750", 212_750, 222_000),
        (182_609, "210000.35", 210_000, 219_131),
    ],
)
def test_the_founding_markups_give_the_worked_prices(base: int, shopee_exact: str, shopee: int, tiktok: int) -> None:
    at_shopee = quote(base, default_rule(Platform.SHOPEE))
    assert at_shopee.exact == Decimal(shopee_exact)
    assert (at_shopee.price, at_shopee.clamped) == (shopee, None)
    assert quote(base, default_rule(Platform.TIKTOK_SHOP)).price == tiktok


@pytest.mark.parametrize(
    ("base", "rule_", "exact", "price", "clamped"),
    [
        (85_000, SHOPEE_STACK, "100584.75", 100_585, None),
        (85_000, TIKTOK_STACK, "104550", 104_550, None),
        (100_000, SHOPEE_STACK, "118335", 118_335, None),
        (100_000, TIKTOK_STACK, "123000", 123_000, None),
        (150_000, SHOPEE_STACK, "177502.5", 177_503, None),
        (150_000, TIKTOK_STACK, "184500", 184_500, None),
        (189_000, SHOPEE_STACK, "223653.15", 223_653, None),
        (189_000, TIKTOK_STACK, "232470", 232_470, None),
        (17_990, SHOPEE_STACK, "21288.4665", 21_288, None),
        (17_990, TIKTOK_STACK, "22127.7", 22_128, None),
        (1_290, SHOPEE_STACK, "1526.5215", 1_527, None),
        (1_290, TIKTOK_STACK, "1586.7", 1_587, None),
        (500, SHOPEE_STACK, "591.675", 1_000, Clamp.MINIMUM),
        (500, TIKTOK_STACK, "615", 1_000, Clamp.MINIMUM),
        (845, SHOPEE_STACK, "999.93075", 1_000, Clamp.MINIMUM),
        (846, SHOPEE_STACK, "1001.1141", 1_001, None),
        (845, TIKTOK_STACK, "1039.35", 1_039, None),
        (846, TIKTOK_STACK, "1040.58", 1_041, None),
        (813, TIKTOK_STACK, "999.99", 1_000, Clamp.MINIMUM),
        (814, TIKTOK_STACK, "1001.22", 1_001, None),
        (84_505_852, SHOPEE_STACK, "99999999.9642", 100_000_000, None),
        (84_505_853, SHOPEE_STACK, "100000001.14755", 100_000_000, Clamp.MAXIMUM),
        (81_300_813, TIKTOK_STACK, "99999999.99", 100_000_000, None),
        (81_300_814, TIKTOK_STACK, "100000001.22", 100_000_000, Clamp.MAXIMUM),
    ],
)
def test_stacked_fees_give_the_worked_prices(
    base: int, rule_: PricingRule, exact: str, price: int, clamped: Clamp | None
) -> None:
    quoted = quote(base, rule_)
    assert (quoted.exact, quoted.price, quoted.clamped) == (Decimal(exact), price, clamped)


@pytest.mark.parametrize(
    ("fees", "lines", "price"),
    [
        (SHOPEE_FEES, ["100000", "-10000", "13500", "3001.5", "9000", "0.5"], 115_502),
        (TIKTOK_SHOP_FEES, ["100000", "-10000", "18000", "2700", "9000"], 119_700),
    ],
)
def test_discount_comes_before_platform_fee_before_payment_fee_before_shipping(
    fees: Fees, lines: list[str], price: int
) -> None:
    quoted = quote(100_000, rule(FeeStack(discount_percent=Decimal(10), shipping=9_000), fees))
    assert quoted.price == price
    assert [line.amount for line in quoted.breakdown] == [Decimal(amount) for amount in lines]
    order = [Part.BASE, Part.DISCOUNT, Part.PLATFORM_FEE, Part.PAYMENT_FEE, Part.SHIPPING, Part.ROUNDING]
    assert [line.part for line in quoted.breakdown] == order[: len(lines)]


def test_percentages_of_a_plain_price() -> None:
    assert quote(100_000, SHOPEE_STACK).percentages() == (
        (Part.BASE, Decimal("84.5059")),
        (Part.PLATFORM_FEE, Decimal("12.6759")),
        (Part.PAYMENT_FEE, Decimal("2.8183")),
    )


def test_a_clamped_price_shows_what_the_clamp_added() -> None:
    quoted = quote(500, SHOPEE_STACK)
    assert [(line.part, line.amount) for line in quoted.breakdown] == [
        (Part.BASE, Decimal(500)),
        (Part.PLATFORM_FEE, Decimal(75)),
        (Part.PAYMENT_FEE, Decimal("16.675")),
        (Part.CLAMP_ADJUSTMENT, Decimal("408.325")),
    ]
    assert dict(quoted.percentages()) == {
        Part.BASE: Decimal(50),
        Part.PLATFORM_FEE: Decimal("7.5"),
        Part.PAYMENT_FEE: Decimal("1.6675"),
        Part.CLAMP_ADJUSTMENT: Decimal("40.8325"),
    }


@pytest.mark.parametrize(
    ("strategy", "fees", "price", "net"),
    [
        (Markup(factor=Decimal("1.15")), SHOPEE_FEES, 115_000, "94415"),
        (FeeStack(), SHOPEE_FEES, 118_335, "97153.035"),
        (GrossUp(), SHOPEE_FEES, 121_803, "100000.263"),
        (Markup(factor=Decimal("1.20")), TIKTOK_SHOP_FEES, 120_000, "93000"),
        (FeeStack(), TIKTOK_SHOP_FEES, 123_000, "95325"),
        (GrossUp(), TIKTOK_SHOP_FEES, 129_032, "99999.80"),
        (GrossUp(rounding=Rounding.CEILING), TIKTOK_SHOP_FEES, 129_033, "100000.575"),
    ],
)
def test_what_is_left_of_a_hundred_thousand_after_fees(strategy: Strategy, fees: Fees, price: int, net: str) -> None:
    quoted = quote(100_000, rule(strategy, fees))
    assert (quoted.price, quoted.net_after_fee) == (price, Decimal(net))


def test_net_is_unknown_where_fees_are() -> None:
    assert quote(100_000, default_rule(Platform.LAZADA)).net_after_fee is None


@pytest.mark.parametrize(
    ("platform", "price"),
    [
        (Platform.SHOPEE, 115_000),
        (Platform.TIKTOK_SHOP, 120_000),
        (Platform.LAZADA, 120_000),
        (Platform.BLIBLI, 118_000),
        (Platform.WEBSITE, 100_000),
    ],
)
def test_every_platform_has_a_rule_to_start_with(platform: Platform, price: int) -> None:
    assert quote(100_000, default_rule(platform)).price == price
    assert default_rule(str(platform)) == default_rule(platform)


def test_an_unknown_platform_has_no_rule() -> None:
    with pytest.raises(UnknownPlatform, match="olx"):
        default_rule("olx")


def test_a_percentage_there_and_back_does_not_return_to_the_start() -> None:
    """Which is why undo restores history and does not invert arithmetic."""
    raised = quote(17_990, rule(Markup(factor=Decimal("1.05")))).price
    assert raised == 18_890
    assert quote(raised, rule(Markup(factor=Decimal("0.95")))).price == 17_946


def test_thirteen_percent_of_whole_shopee_prices_come_from_no_base() -> None:
    reached = {quote(base, default_rule(Platform.SHOPEE)).price for base in range(2_000)}
    assert sum(price not in reached for price in range(2_300)) / 2_300 == pytest.approx(0.13, abs=0.001)


@pytest.mark.parametrize(
    ("strategy", "base", "price", "ending"),
    [
        (Markup(factor=Decimal("1.15")), 100_000, 115_900, Decimal(900)),
        (Markup(factor=Decimal("1.15")), 100_800, 116_900, Decimal(980)),
        (Markup(factor=Decimal(1)), 115_900, 115_900, None),
        (FeeStack(), 500, 1_900, Decimal(900)),
        (FeeStack(), 90_000_000, 99_999_900, Decimal(-100)),
        (FeeStack(minimum=1_000, maximum=1_000), 500, 1_000, None),
    ],
)
def test_an_ending_is_a_step_of_its_own(strategy: Strategy, base: int, price: int, ending: Decimal | None) -> None:
    quoted = quote(base, rule(strategy, ending=900))
    assert quoted.price == price
    assert {line.part: line.amount for line in quoted.breakdown}.get(Part.ENDING) == ending


@pytest.mark.parametrize("base", [-1, MAX_PRICE + 1, 1.5, float("nan"), True, None, "100000", Decimal(100)])
def test_a_base_that_is_no_amount_of_rupiah_is_refused(base: Any) -> None:
    with pytest.raises(InvalidBasePrice):
        quote(base, default_rule(Platform.SHOPEE))


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (rule(Markup(factor=Decimal("NaN"))), "factor"),
        (rule(Markup(factor=Decimal("Infinity"))), "factor"),
        (rule(Markup(factor=Decimal(0))), "factor"),
        (rule(Markup(factor=Decimal("-1.15"))), "factor"),
        (rule(Markup(factor=Decimal("100.01"))), "factor"),
        (rule(Markup(factor=Decimal("1.123456789"))), "factor"),
        (rule(FeeStack(discount_percent=Decimal("100.01"))), "discount_percent"),
        (rule(FeeStack(discount_percent=Decimal(-1))), "discount_percent"),
        (rule(FeeStack(discount_percent=Decimal("sNaN"))), "discount_percent"),
        (rule(FeeStack(shipping=-1)), "shipping"),
        (rule(FeeStack(minimum=2, maximum=1)), "minimum"),
        (rule(FeeStack(maximum=0)), "maximum"),
        (rule(FeeStack(), fees=None), "fees"),
        (rule(GrossUp(), fees=None), "fees"),
        (rule(GrossUp(), Fees(platform_percent=Decimal(60), payment_percent=Decimal(40))), "fees"),
        (rule(FeeStack(), Fees(platform_percent=Decimal("NaN"), payment_percent=Decimal(1))), "platform_percent"),
        (rule(FeeStack(), Fees(platform_percent=Decimal(1), payment_percent=Decimal(101))), "payment_percent"),
        (rule(Markup(factor=Decimal(1)), ending=1_000), "ending"),
        (PricingRule(rule_id="r", version=0, strategy=Markup(factor=Decimal(1))), "version"),
    ],
)
def test_a_rule_that_cannot_be_calculated_with_is_refused_by_the_name_of_its_figure(
    bad: PricingRule, field: str
) -> None:
    with pytest.raises(InvalidPricingRule) as refused:
        quote(100_000, bad)
    assert refused.value.facts == {"field": field}


def test_a_price_beyond_the_largest_is_refused() -> None:
    with pytest.raises(PriceTooLarge):
        quote(MAX_PRICE, default_rule(Platform.SHOPEE))
    with pytest.raises(PriceTooLarge):
        quote(MAX_PRICE, rule(GrossUp(rounding=Rounding.CEILING)))


def test_a_full_discount_ends_at_the_minimum_and_says_so() -> None:
    quoted = quote(100_000, rule(FeeStack(discount_percent=Decimal(100))))
    assert (quoted.exact, quoted.price, quoted.clamped) == (Decimal(0), 1_000, Clamp.MINIMUM)


def test_nothing_costs_nothing_and_has_no_percentages() -> None:
    quoted = quote(0, default_rule(Platform.SHOPEE))
    assert (quoted.price, quoted.percentages()) == (0, ())


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (
            b'{"rule_id":"r","version":3,"strategy":{"type":"markup","factor":"1.15"},"fees":null,"ending":null}',
            rule(Markup(factor=Decimal("1.15")), None),
        ),
        (
            (
                b'{"rule_id":"r","version":3,"strategy":{"type":"fee_stack","discount_percent":"10","shipping":9000,'
                b'"minimum":1000,"maximum":100000000},"fees":{"platform_percent":"15","payment_percent":"2.9"},"ending":900}'
            ),
            rule(FeeStack(discount_percent=Decimal(10), shipping=9_000), ending=900),
        ),
        (
            (
                b'{"rule_id":"r","version":3,"strategy":{"type":"gross_up","rounding":"ceiling"},'
                b'"fees":{"platform_percent":"15","payment_percent":"2.9"},"ending":null}'
            ),
            rule(GrossUp(rounding=Rounding.CEILING)),
        ),
    ],
)
def test_stored_rules_stay_readable_and_are_written_alike(stored: bytes, expected: PricingRule) -> None:
    assert msgspec.json.decode(stored, type=PricingRule) == expected
    assert msgspec.json.encode(expected) == stored


percents = st.decimals(0, 45, places=4)
fees_known = st.builds(Fees, platform_percent=percents, payment_percent=percents)
stacks = st.builds(FeeStack, discount_percent=st.decimals(0, 100, places=4), shipping=st.integers(0, 10**6))
strategies = (
    st.builds(Markup, factor=st.decimals("0.0001", 10, places=8))
    | stacks
    | st.builds(GrossUp, rounding=st.sampled_from(Rounding))
)
rules = st.builds(rule, strategies, fees_known, st.none() | st.integers(0, 999))
bases = st.integers(0, 900_000_000)


@given(bases, rules)
def test_every_breakdown_sums_to_its_price_exactly(base: int, any_rule: PricingRule) -> None:
    quoted = quote(base, any_rule)
    with localcontext(WIDE):
        assert sum(line.amount for line in quoted.breakdown) == quoted.price
    assert all(type(line.amount) is Decimal for line in quoted.breakdown)
    assert type(quoted.price) is int
    assert (quoted.base, quoted.rule_id, quoted.rule_version) == (base, "r", 3)


@given(bases, st.decimals("0.0001", 10, places=8))
def test_a_markup_is_rounded_half_up(base: int, factor: Decimal) -> None:
    with localcontext(WIDE):
        oracle = int((base * factor).to_integral_value(ROUND_HALF_UP))
    assert quote(base, rule(Markup(factor=factor))).price == oracle


@given(bases, fees_known)
def test_a_gross_up_never_leaves_less_than_the_base_when_it_promises_so(base: int, fees: Fees) -> None:
    promised = quote(base, rule(GrossUp(rounding=Rounding.CEILING), fees))
    assert promised.net_after_fee is not None
    assert promised.net_after_fee >= base
    with localcontext(WIDE):
        left = 1 - (fees.platform_percent + fees.payment_percent) / 100
        assert promised.price == int((base / left).to_integral_value(ROUND_CEILING))
        one_less = (promised.price - 1) * left
    assert one_less < base


@given(bases, st.integers(0, 10**6), rules)
def test_a_dearer_base_is_never_a_cheaper_price(base: int, more: int, any_rule: PricingRule) -> None:
    assert quote(base + more, any_rule).price >= quote(base, any_rule).price


@given(bases, rules)
def test_a_stack_stays_within_its_limits(base: int, any_rule: PricingRule) -> None:
    quoted = quote(base, any_rule)
    if isinstance(any_rule.strategy, FeeStack):
        assert 1_000 <= quoted.price <= 100_000_000
    else:
        assert quoted.clamped is None
