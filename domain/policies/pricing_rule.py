"""What a pricing rule is, which figures it may have, and the rule each platform starts with."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

from msgspec import Struct

from domain.errors import Refusal
from domain.values import MAX_PRICE, Platform

_MAX_FACTOR: Final = 100
_MAX_DECIMALS: Final = 8


class Rounding(StrEnum):
    HALF_UP = "half_up"
    CEILING = "ceiling"


class Fees(Struct, frozen=True, kw_only=True):
    """What a shop keeps of the price, in percent of it."""

    platform_percent: Decimal
    payment_percent: Decimal


class Markup(Struct, frozen=True, kw_only=True, tag="markup"):
    """Base x factor."""

    factor: Decimal


class FeeStack(Struct, frozen=True, kw_only=True, tag="fee_stack"):
    """Base, less discount, plus platform fee, plus payment fee on both, plus shipping; kept within the limits."""

    discount_percent: Decimal = Decimal(0)
    shipping: int = 0
    """Whole rupiah included in the price; 0 when the buyer pays it apart."""
    minimum: int = 1_000
    maximum: int = 100_000_000


class GrossUp(Struct, frozen=True, kw_only=True, tag="gross_up"):
    """The price of which the base is left after fees; `ceiling` when it must never be less than the base."""

    rounding: Rounding = Rounding.HALF_UP


Strategy = Markup | FeeStack | GrossUp


class PricingRule(Struct, frozen=True, kw_only=True):
    """How one connection is priced. A changed rule keeps its id and takes the next version."""

    rule_id: str
    version: int
    strategy: Strategy
    fees: Fees | None = None
    """None where the shop's fees are not known: markup still works, the net cannot be told."""
    ending: int | None = None
    """The last three digits every price shall have, such as 900; reached by raising the rounded price."""


class InvalidPricingRule(Refusal):
    code = "pricing_rule_invalid"
    remedy = "Correct the figure that is named."


class UnknownPlatform(Refusal):
    code = "pricing_platform_unknown"
    remedy = f"Use one of {', '.join(Platform)}."


def check_rule(rule: PricingRule) -> None:
    """Raise InvalidPricingRule naming the first figure that cannot be calculated with."""
    if rule.version < 1:
        raise InvalidPricingRule(
            f"version {rule.version} of rule {rule.rule_id!r}: versions count from 1", field="version"
        )
    if rule.ending is not None and not 0 <= rule.ending <= 999:
        raise InvalidPricingRule(f"ending {rule.ending} is not three digits", field="ending")
    if rule.fees is not None:
        _check_figure("platform_percent", rule.fees.platform_percent, 0, 100)
        _check_figure("payment_percent", rule.fees.payment_percent, 0, 100)
    elif not isinstance(rule.strategy, Markup):
        raise InvalidPricingRule(f"rule {rule.rule_id!r} needs the shop's fees", field="fees")
    match rule.strategy:
        case Markup(factor=factor):
            _check_figure("factor", factor, 0, _MAX_FACTOR)
            if factor == 0:
                raise InvalidPricingRule("factor 0 gives everything away", field="factor")
        case FeeStack() as stack:
            _check_figure("discount_percent", stack.discount_percent, 0, 100)
            _check_figure("shipping", Decimal(stack.shipping), 0, MAX_PRICE)
            _check_figure("maximum", Decimal(stack.maximum), 1, MAX_PRICE)
            _check_figure("minimum", Decimal(stack.minimum), 0, stack.maximum)
        case GrossUp():
            if rule.fees is not None and rule.fees.platform_percent + rule.fees.payment_percent >= 100:
                raise InvalidPricingRule("fees of 100 % or more leave nothing to gross up", field="fees")
        case _:
            assert_never(rule.strategy)


def _check_figure(name: str, figure: Decimal, lowest: int, highest: int) -> None:
    """Finite, within bounds, and with few enough decimals to stay exact (a NaN passes every comparison of a clamp)."""
    if not figure.is_finite():
        raise InvalidPricingRule(f"{name} is {figure}, not a number to calculate with", field=name)
    if not lowest <= figure <= highest:
        raise InvalidPricingRule(f"{name} {figure} is outside {lowest} to {highest}", field=name)
    _, _, exponent = figure.as_tuple()
    assert isinstance(exponent, int)
    if exponent < -_MAX_DECIMALS:
        raise InvalidPricingRule(f"{name} {figure} has more than {_MAX_DECIMALS} decimals", field=name)


SHOPEE_FEES: Final = Fees(platform_percent=Decimal(15), payment_percent=Decimal("2.9"))
TIKTOK_SHOP_FEES: Final = Fees(platform_percent=Decimal(20), payment_percent=Decimal("2.5"))

_DEFAULTS: Final[Mapping[Platform, tuple[str, Fees | None]]] = {
    Platform.SHOPEE: ("1.15", SHOPEE_FEES),
    Platform.TIKTOK_SHOP: ("1.20", TIKTOK_SHOP_FEES),
    Platform.LAZADA: ("1.20", None),
    Platform.BLIBLI: ("1.18", None),
    Platform.WEBSITE: ("1.00", None),
}


def default_rule(platform: Platform | str) -> PricingRule:
    """The rule a connection starts with: the founding factors and, where they are known, fees (R48, R50).

    Raises UnknownPlatform.
    """
    if platform not in _DEFAULTS:
        raise UnknownPlatform(f"no prices are known for a platform {platform!r}", platform=str(platform))
    known = Platform(platform)
    factor, fees = _DEFAULTS[known]
    return PricingRule(rule_id=f"default-{known}", version=1, strategy=Markup(factor=Decimal(factor)), fees=fees)
