"""What another pricing rule would do to the prices of a shop, before anybody decides; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from domain.connection.state import Connection
from domain.listing.desired import Shown, desired_values
from domain.listing.fields import price_field
from domain.policies.price_checks import PriceBounds
from domain.policies.pricing import Quote
from domain.policies.pricing_rule import PricingRule
from domain.ports import EventStore
from domain.product.events import ProductEvent
from domain.product.state import Product
from domain.values import ProductStatus, stream_id
from services.usecases.aggregates import PRODUCT
from services.usecases.stored_events import from_store


class Repriced(Struct, frozen=True, kw_only=True):
    """A SKU's price now and then, whole rupiah; None where no price can be made, or ours would be held back."""

    sku: str
    now: int | None
    then: int | None
    quote: Quote | None
    """How `then` comes about."""
    problem: str | None


class RepricedPage(Struct, frozen=True, kw_only=True):
    changed: Sequence[tuple[Product, Sequence[Repriced]]]
    looked_at: int
    after: str | None
    """The product to go on behind; None on the last page."""


async def repriced(
    store: EventStore,
    org_id: str,
    connection: Connection,
    rule: PricingRule,
    *,
    bounds: PriceBounds | None,
    after: str = "",
    limit: int,
) -> RepricedPage:
    """The products from behind `after` on, in order of their ids, that the rule would price otherwise.

    Archived products and prices that are overridden for the platform are not concerned.
    """
    behind = stream_id("product", after) if after else ""
    streams = await store.streams_of(org_id, "product", after=behind, limit=limit)
    histories = await store.read_streams(org_id, streams) if streams else {}
    products = [PRODUCT.decider.fold(cast("list[ProductEvent]", from_store(each))) for each in histories.values()]
    changed = []
    for product in products:
        if isinstance(product, Product) and product.status is not ProductStatus.ARCHIVED:
            differing = _differing(product, connection, rule, bounds)
            if differing:
                changed.append((product, differing))
    last = streams[-1].removeprefix("product-") if len(streams) == limit else None
    return RepricedPage(changed=changed, looked_at=len(streams), after=last)


def _differing(
    product: Product, connection: Connection, rule: PricingRule, bounds: PriceBounds | None
) -> list[Repriced]:
    now = desired_values(product, {}, connection, bounds=bounds)
    then = desired_values(product, {}, replace(connection, pricing_rule=rule), bounds=bounds)
    return [
        Repriced(
            sku=variant.sku,
            now=_price(now, variant.sku),
            then=_price(then, variant.sku),
            quote=then.quotes.get(variant.sku),
            problem=_problem(then, variant.sku),
        )
        for variant in product.sellables
        if _price(now, variant.sku) != _price(then, variant.sku)
        or _problem(now, variant.sku) != _problem(then, variant.sku)
    ]


def _price(shown: Shown, sku: str) -> int | None:
    return cast("int | None", shown.values.get(price_field(sku)))


def _problem(shown: Shown, sku: str) -> str | None:
    """Why the price would be held back, else what somebody should know of it."""
    said = [hold.reason for hold in shown.holds if hold.field == price_field(sku)]
    said += [warned.message for warned in shown.warnings if warned.field == price_field(sku)]
    return said[0] if said else None
