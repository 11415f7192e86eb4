"""What stands between a calculated price and a push: the organisation's guard and the platform's bounds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from domain.policies.pricing import Clamp, Quote


class PriceGuard(Struct, frozen=True, kw_only=True):
    """What an organisation does not let through unseen."""

    max_change_percent: Decimal | None = Decimal(20)
    below_cost: bool = False
    """True lets prices through that pay out less than the cost."""


class PriceHeld(Struct, frozen=True):
    """The price waits for a person. `code` is stable: "clamped_to_maximum", "change_too_large", "below_cost"."""

    code: str
    reason: str


def guard(quote: Quote, *, previous: int | None, cost: int | None, limits: PriceGuard) -> PriceHeld | None:
    """The first reason to hold a price back, or None. `previous` and `cost` in whole rupiah, None where unknown.

    A price is below cost when what the shop pays out is (the price itself where its fees are not known).
    """
    if quote.clamped is Clamp.MAXIMUM:
        return PriceHeld("clamped_to_maximum", f"the rule makes {quote.exact:f}, which was cut to {quote.price}")
    limit = limits.max_change_percent
    if limit is not None and previous is not None and changes_by_more(previous, quote.price, limit):
        return PriceHeld("change_too_large", f"from {previous} to {quote.price} is a change of more than {limit:f} %")
    net = Decimal(quote.price) if quote.net_after_fee is None else quote.net_after_fee
    if not limits.below_cost and cost is not None and net < cost:
        return PriceHeld("below_cost", f"{quote.price} pays out {net:f}, less than the cost of {cost}")
    return None


def changes_by_more(old: int, new: int, percent: Decimal) -> bool:
    """Whether the step from old to new is larger than so many percent of old; any step from 0 is."""
    return Fraction(abs(new - old) * 100) > Fraction(percent) * old


class PriceBounds(Struct, frozen=True, kw_only=True):
    """What a platform takes as prices; part of its capabilities. Whole rupiah; None where it sets no bound."""

    minimum: int = 1
    maximum: int | None = None
    warn_below: int | None = None
    max_variant_ratio: int | None = None
    """Dearest / cheapest variant of one product."""
    review_above_change_percent: Decimal | None = None
    """Larger changes send the listing back into the platform's quality check."""


class PriceFinding(Struct, frozen=True, kw_only=True):
    """Something a platform will mind. What is not blocking is pushed all the same, with a warning."""

    code: str
    sku: str | None
    blocking: bool
    message: str


def check_bounds(
    prices: Mapping[str, int], bounds: PriceBounds, *, previous: Mapping[str, int] | None = None
) -> tuple[PriceFinding, ...]:
    """All that a platform will mind about one product's prices by SKU. `previous` are the prices it shows now."""
    findings = [
        finding for sku, price in prices.items() for finding in _of_one(sku, price, bounds, (previous or {}).get(sku))
    ]
    ratio = bounds.max_variant_ratio
    if ratio is not None and prices and max(prices.values()) > ratio * min(prices.values()):
        low, high = min(prices.values()), max(prices.values())
        message = f"variants cost from {low} to {high}; the dearest may cost at most {ratio} times the cheapest"
        findings.append(PriceFinding(code="variant_ratio_too_large", sku=None, blocking=True, message=message))
    return tuple(findings)


def _of_one(sku: str, price: int, bounds: PriceBounds, previous: int | None) -> list[PriceFinding]:
    findings: list[PriceFinding] = []

    def found(code: str, message: str, *, blocking: bool) -> None:
        findings.append(PriceFinding(code=code, sku=sku, blocking=blocking, message=message))

    if price < bounds.minimum:
        found("price_below_minimum", f"{price} is below the platform's minimum of {bounds.minimum}", blocking=True)
    elif bounds.warn_below is not None and price < bounds.warn_below:
        found("price_unusually_low", f"the platform warns of prices below {bounds.warn_below}", blocking=False)
    if bounds.maximum is not None and price > bounds.maximum:
        found("price_above_maximum", f"{price} is above the platform's maximum of {bounds.maximum}", blocking=True)
    limit = bounds.review_above_change_percent
    if limit is not None and previous is not None and changes_by_more(previous, price, limit):
        message = f"a change of more than {limit:f} % from {previous} sends the listing into the platform's review"
        found("price_change_reviewed", message, blocking=False)
    return findings


def bundle_exceeds_parts(bundle_price: int, parts: Mapping[str, tuple[int, int]]) -> int | None:
    """The sum of the parts, by SKU as (price, quantity), if the bundle costs more than they do; else None."""
    total = sum(price * quantity for price, quantity in parts.values())
    return total if bundle_price > total else None
