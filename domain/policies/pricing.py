"""From a base price to a shop's price: three strategies, exact decimals, one rounding at the end.

`markup` multiplies; `fee_stack` adds the shop's fees one after another and clamps; `gross_up` asks what price leaves
the base after fees. They differ: x1.15 does not recover a fee of 15 %, so every quote shows what is left.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal, localcontext
from enum import StrEnum
from typing import Final, NamedTuple, assert_never

from msgspec import Struct

from domain.errors import Refusal
from domain.policies.pricing_rule import (
    Fees,
    FeeStack,
    GrossUp,
    InvalidPricingRule,
    Markup,
    PricingRule,
    Rounding,
    Strategy,
    UnknownPlatform,
    check_rule,
    default_rule,
)
from domain.values import MAX_PRICE

__all__ = [
    "Clamp",
    "FeeStack",
    "Fees",
    "GrossUp",
    "InvalidBasePrice",
    "InvalidPricingRule",
    "Line",
    "Markup",
    "Part",
    "PriceTooLarge",
    "PricingRule",
    "Quote",
    "Rounding",
    "Strategy",
    "UnknownPlatform",
    "check_rule",
    "default_rule",
    "quote",
]

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
"""Wide enough that no product of checked figures is ever inexact."""
_HUNDRED: Final = Decimal(100)
_TOLD_DECIMALS: Final = Decimal("0.00000001")
_THOUSAND: Final = 1_000


_DECIMAL_ROUNDING: Final = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.CEILING: ROUND_CEILING}


class Part(StrEnum):
    BASE = "base"
    MARKUP = "markup"
    DISCOUNT = "discount"
    PLATFORM_FEE = "platform_fee"
    PAYMENT_FEE = "payment_fee"
    SHIPPING = "shipping"
    CLAMP_ADJUSTMENT = "clamp_adjustment"
    ROUNDING = "rounding"
    ENDING = "ending"


class Line(Struct, frozen=True):
    """One summand of a price, in rupiah; may be negative."""

    part: Part
    amount: Decimal


class Clamp(StrEnum):
    MINIMUM = "minimum"
    MAXIMUM = "maximum"


class Quote(Struct, frozen=True, kw_only=True):
    """A price and all that led to it. The breakdown sums to `price` exactly."""

    rule_id: str
    rule_version: int
    base: int
    exact: Decimal
    """Before limits and rounding; a gross-up, being a division, is told to eight decimals."""
    rounding: Rounding
    price: int
    clamped: Clamp | None
    net_after_fee: Decimal | None
    """What the shop pays out: price x (1 - platform fee - payment fee)."""
    breakdown: tuple[Line, ...]

    def percentages(self) -> tuple[tuple[Part, Decimal], ...]:
        """Each line's share of the price in percent, to four decimals; empty for a price of 0."""
        if self.price == 0:
            return ()
        with localcontext(_EXACT):
            return tuple(
                (line.part, (line.amount * 100 / self.price).quantize(Decimal("0.0001"))) for line in self.breakdown
            )


class InvalidBasePrice(Refusal):
    code = "base_price_invalid"
    remedy = f"Give a whole number of rupiah from 0 to {MAX_PRICE}."


class PriceTooLarge(Refusal):
    code = "price_too_large"
    remedy = f"Lower the base price or the rule's factor; prices go up to {MAX_PRICE}."


class _Worked(NamedTuple):
    """A strategy's answer: the price before the ending, and lines of which some may be zero."""

    exact: Decimal
    price: int
    lines: tuple[Line, ...]
    limits: tuple[int, int] | None = None
    rounding: Rounding = Rounding.HALF_UP
    clamped: Clamp | None = None


def quote(base: int, rule: PricingRule) -> Quote:
    """The price of a base of whole rupiah under a rule. Raises InvalidBasePrice, InvalidPricingRule, PriceTooLarge."""
    if type(base) is not int or not 0 <= base <= MAX_PRICE:
        raise InvalidBasePrice(f"a base price of {base!r} cannot be priced", base=str(base))
    check_rule(rule)
    with localcontext(_EXACT):
        worked = _work(Decimal(base), rule)
        price, lines = _with_ending(worked, rule.ending)
        if price > MAX_PRICE:
            raise PriceTooLarge(f"rule {rule.rule_id!r} makes {price} of {base}", base=base, price=price)
        return Quote(
            rule_id=rule.rule_id,
            rule_version=rule.version,
            base=base,
            exact=worked.exact,
            rounding=worked.rounding,
            price=price,
            clamped=worked.clamped,
            net_after_fee=None if rule.fees is None else price * _share_left(rule.fees),
            breakdown=tuple(line for line in lines if line.amount or line.part is Part.BASE),
        )


def _work(base: Decimal, rule: PricingRule) -> _Worked:
    match rule.strategy:
        case Markup() as markup:
            return _marked_up(base, markup)
        case FeeStack() as stack:
            return _fee_stacked(base, stack, _fees_of(rule))
        case GrossUp() as gross_up:
            return _grossed_up(base, gross_up, _fees_of(rule))
        case _:
            assert_never(rule.strategy)


def _marked_up(base: Decimal, markup: Markup) -> _Worked:
    exact = base * markup.factor
    price = _whole(exact, Rounding.HALF_UP)
    lines = (Line(Part.BASE, base), Line(Part.MARKUP, exact - base), Line(Part.ROUNDING, price - exact))
    return _Worked(exact, price, lines)


def _fee_stacked(base: Decimal, stack: FeeStack, fees: Fees) -> _Worked:
    discount = base * stack.discount_percent / _HUNDRED
    platform_fee = (base - discount) * fees.platform_percent / _HUNDRED
    payment_fee = (base - discount + platform_fee) * fees.payment_percent / _HUNDRED
    exact = base - discount + platform_fee + payment_fee + stack.shipping
    kept = min(max(exact, Decimal(stack.minimum)), Decimal(stack.maximum))
    price = _whole(kept, Rounding.HALF_UP)
    lines = (
        Line(Part.BASE, base),
        Line(Part.DISCOUNT, -discount),
        Line(Part.PLATFORM_FEE, platform_fee),
        Line(Part.PAYMENT_FEE, payment_fee),
        Line(Part.SHIPPING, Decimal(stack.shipping)),
        Line(Part.CLAMP_ADJUSTMENT, kept - exact),
        Line(Part.ROUNDING, price - kept),
    )
    clamped = Clamp.MINIMUM if kept > exact else Clamp.MAXIMUM if kept < exact else None
    return _Worked(exact, price, lines, limits=(stack.minimum, stack.maximum), clamped=clamped)


def _grossed_up(base: Decimal, gross_up: GrossUp, fees: Fees) -> _Worked:
    """Fees are taken of the rounded price, as the shop will take them; the rest of the breakdown is rounding."""
    exact = base / _share_left(fees)
    price = _whole(exact, gross_up.rounding)
    platform_fee = price * fees.platform_percent / _HUNDRED
    payment_fee = price * fees.payment_percent / _HUNDRED
    lines = (
        Line(Part.BASE, base),
        Line(Part.PLATFORM_FEE, platform_fee),
        Line(Part.PAYMENT_FEE, payment_fee),
        Line(Part.ROUNDING, price - base - platform_fee - payment_fee),
    )
    return _Worked(exact.quantize(_TOLD_DECIMALS), price, lines, rounding=gross_up.rounding)


def _with_ending(worked: _Worked, ending: int | None) -> tuple[int, tuple[Line, ...]]:
    """Raised to the ending; lowered to it where limits forbid raising; left alone where they forbid both."""
    if ending is None:
        return worked.price, worked.lines
    price = worked.price + (ending - worked.price) % _THOUSAND
    if worked.limits is not None and price > worked.limits[1]:
        price -= _THOUSAND
        price = price if price >= worked.limits[0] else worked.price
    return price, (*worked.lines, Line(Part.ENDING, Decimal(price - worked.price)))


def _whole(amount: Decimal, rounding: Rounding) -> int:
    return int(amount.to_integral_value(rounding=_DECIMAL_ROUNDING[rounding]))


def _share_left(fees: Fees) -> Decimal:
    return 1 - (fees.platform_percent + fees.payment_percent) / _HUNDRED


def _fees_of(rule: PricingRule) -> Fees:
    assert rule.fees is not None, "check_rule has seen to it"
    return rule.fees
