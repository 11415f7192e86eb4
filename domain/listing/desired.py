"""What a shop shall show of a product: the master's values, the platform's overrides, prices by the shop's rule."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from msgspec import Struct, field

from domain.connection.state import Connection
from domain.listing.commands import HeldValue
from domain.listing.events import PriceQuoted, Value
from domain.listing.fields import DESCRIPTION, IMAGES, LISTED, TITLE, WEIGHT, price_field, stock_field
from domain.policies.price_checks import PriceBounds, PriceGuard, check_bounds, guard
from domain.policies.pricing import Clamp, FeeStack, InvalidBasePrice, PriceTooLarge, Quote, quote
from domain.product.state import Product
from domain.values import ProductStatus

UNGUARDED: Final = PriceGuard(max_change_percent=None, below_cost=True)
"""Lets every price through but one that was cut to a maximum."""
_FEE_STACK_MINIMUM: Final = FeeStack().minimum


class Warned(Struct, frozen=True, kw_only=True):
    """Shown all the same, but somebody should know."""

    field: str
    code: str
    message: str


class Shown(Struct, frozen=True, kw_only=True):
    """Values by field, and what is to be said of them."""

    values: Mapping[str, Value]
    holds: tuple[HeldValue, ...] = ()
    warnings: tuple[Warned, ...] = ()
    quotes: Mapping[str, Quote] = field(default_factory=dict)
    """How each price came about, by SKU; a SKU whose price is overridden has none."""

    @property
    def priced(self) -> tuple[PriceQuoted, ...]:
        """The quotes as events keep them."""
        return tuple(
            PriceQuoted(
                field=price_field(sku),
                base=quoted.base,
                exact=quoted.exact,
                rounding=quoted.rounding.value,
                price=quoted.price,
                clamped=None if quoted.clamped is None else quoted.clamped.value,
            )
            for sku, quoted in self.quotes.items()
        )


def desired_values(
    product: Product,
    available: Mapping[str, int],
    connection: Connection,
    *,
    bounds: PriceBounds | None = None,
    images_max: int | None = None,
    limits: PriceGuard = UNGUARDED,
    previous: Mapping[str, int] | None = None,
) -> Shown:
    """Everything for one listing. `available` is pieces by SKU in the connection's warehouses; an unknown SKU has none.

    `previous` are the prices shown now, for guards on the size of a change. A price that cannot be made is absent from
    the values and held; one that a guard or a bound of the platform stops is among the values and held. Of pictures the
    first `images_max` are wanted, the primary one first.
    """
    prices, quotes, holds = _prices(product, connection)
    guarded = _guarded(product, quotes, limits, previous or {})
    bounded, warnings = _bounded(prices, bounds, previous)
    held = {hold.field: hold for hold in (*bounded, *guarded, *holds)}
    values: dict[str, Value] = dict(_content(product, connection, images_max))
    values |= {price_field(sku): price for sku, price in prices.items()}
    pieces = {sku.casefold(): quantity for sku, quantity in available.items()}
    values |= {stock_field(variant.sku): max(pieces.get(variant.sku.casefold(), 0), 0) for variant in product.sellables}
    left_out = images_left_out(product, images_max)
    said = (*_low_prices(quotes), *warnings, *(() if left_out is None else (left_out,)))
    return Shown(values=values, holds=tuple(held.values()), warnings=said, quotes=quotes)


def images_left_out(product: Product, images_max: int | None) -> Warned | None:
    """What is to be said where a platform takes fewer pictures than the product has."""
    given = len(product.images)
    if images_max is None or given <= images_max:
        return None
    message = f"the shop takes {images_max} pictures: {given - images_max} of the product's {given} are not shown there"
    return Warned(field=IMAGES, code="images_left_out", message=message)


def _content(product: Product, connection: Connection, images_max: int | None) -> Mapping[str, Value]:
    override = product.override_for(connection.platform)
    values: dict[str, Value] = {
        TITLE: product.name if override.name is None else override.name,
        DESCRIPTION: (product.description or product.short_description)
        if override.description is None
        else override.description,
        IMAGES: tuple(image.url for image in sorted(product.images, key=lambda image: not image.primary))[:images_max],
        LISTED: product.status is ProductStatus.ACTIVE,
    }
    if product.dimensions.weight_kg is not None:
        values[WEIGHT] = grams(product.dimensions.weight_kg)
    return values


def grams(kilograms: Decimal) -> int:
    return int(kilograms * 1_000)


def _prices(product: Product, connection: Connection) -> tuple[dict[str, int], dict[str, Quote], list[HeldValue]]:
    overridden = dict(product.override_for(connection.platform).prices)
    prices: dict[str, int] = {}
    quotes: dict[str, Quote] = {}
    holds: list[HeldValue] = []
    for variant in product.sellables:
        if variant.sku in overridden:
            prices[variant.sku] = overridden[variant.sku]
            continue
        try:
            quoted = quote(product.price_of(variant), connection.pricing_rule)
        except (InvalidBasePrice, PriceTooLarge) as refusal:
            holds.append(HeldValue(field=price_field(variant.sku), code="price_unavailable", reason=str(refusal)))
            continue
        if quoted.price < 1:
            reason = f"rule {quoted.rule_id!r} makes {quoted.price} of {quoted.base}; a price is at least 1"
            holds.append(HeldValue(field=price_field(variant.sku), code="price_unavailable", reason=reason))
            continue
        quotes[variant.sku] = quoted
        prices[variant.sku] = quoted.price
    return prices, quotes, holds


def _guarded(
    product: Product, quotes: Mapping[str, Quote], limits: PriceGuard, previous: Mapping[str, int]
) -> list[HeldValue]:
    holds = []
    for sku, quoted in quotes.items():
        stopped = guard(quoted, previous=previous.get(sku), cost=product.cost_price, limits=limits)
        if stopped is not None:
            code = "price_clamped" if quoted.clamped is Clamp.MAXIMUM else "price_guarded"
            holds.append(HeldValue(field=price_field(sku), code=code, reason=stopped.reason))
    return holds


def _bounded(
    prices: Mapping[str, int], bounds: PriceBounds | None, previous: Mapping[str, int] | None
) -> tuple[list[HeldValue], list[Warned]]:
    """A finding about the whole product concerns each of its prices."""
    if bounds is None:
        return [], []
    holds: list[HeldValue] = []
    warnings: list[Warned] = []
    for finding in check_bounds(prices, bounds, previous=previous):
        for sku in prices if finding.sku is None else (finding.sku,):
            if finding.blocking:
                holds.append(HeldValue(field=price_field(sku), code="price_not_allowed", reason=finding.message))
            else:
                warnings.append(Warned(field=price_field(sku), code=finding.code, message=finding.message))
    return holds, warnings


def _low_prices(quotes: Mapping[str, Quote]) -> list[Warned]:
    return [
        Warned(
            field=price_field(sku),
            code="price_under_fee_stack_minimum",
            message=f"{quoted.price} is less than the {_FEE_STACK_MINIMUM} that a stack of fees would start from",
        )
        for sku, quoted in quotes.items()
        if quoted.price < _FEE_STACK_MINIMUM
    ]
