"""The four aggregates as use cases need them: how each decides, what it claims as unique, what its events touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from domain import values
from domain.connection import decider as connection
from domain.connection.commands import ConnectionCommand
from domain.connection.events import ConnectionEvent
from domain.connection.state import ConnectionState
from domain.decider import Decider
from domain.errors import Refusal
from domain.events import DomainEvent
from domain.listing import decider as listing
from domain.listing.commands import ListingCommand
from domain.listing.events import ListingEvent
from domain.listing.state import ListingState
from domain.messages import Claim, ClaimTaken
from domain.product import decider as product
from domain.product import evolution
from domain.product.commands import ProductCommand
from domain.product.events import ProductEvent
from domain.product.state import NotCreated, ProductState
from domain.stock import decider as stock
from domain.stock.commands import StockCommand
from domain.stock.events import StockEvent
from domain.stock.state import StockState

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=DomainEvent)


class DuplicateSku(Refusal):
    code = "sku_taken"
    remedy = "Give it another SKU, or change the product that has this one."


class DuplicateShop(Refusal):
    code = "shop_connected"
    remedy = "Use the connection that this shop has already."


class ShopConnectedElsewhere(Refusal):
    code = "shop_connected_elsewhere"
    remedy = "A shop belongs to one organisation of an installation; if it is yours, ask whoever runs this one."


def _no_claims(_: object) -> frozenset[Claim]:
    return frozenset()


def _type_name(event: object) -> frozenset[str]:
    return frozenset({type(event).__name__})


def _never_taken(taken: ClaimTaken, _: object) -> Refusal:
    raise AssertionError(f"nothing claims {taken.claim}")


def _sku_taken(taken: ClaimTaken, wanted: ProductState) -> Refusal:
    skus = [] if isinstance(wanted, NotCreated) else [wanted.sku, *(variant.sku for variant in wanted.variants)]
    sku = next((sku for sku in skus if sku.casefold() == taken.claim.value), taken.claim.value)
    return duplicate_sku(sku, taken.owner)


def duplicate_sku(sku: str, owner: str) -> DuplicateSku:
    """`owner` is the stream that has the SKU."""
    product_id = values.identity_of(owner)
    return DuplicateSku(f"SKU {sku!r} belongs to product {product_id}", sku=sku, owner=product_id)


def _shop_taken(taken: ClaimTaken, _: object) -> Refusal:
    if not taken.owner:
        return ShopConnectedElsewhere("this shop is connected already, in another organisation")
    owner = values.identity_of(taken.owner)
    return DuplicateShop(f"this shop is connected as {owner}", owner=owner)


@dataclass(frozen=True, slots=True)
class Aggregate(Generic[C, S, E]):
    decider: Decider[C, S, E]
    claims_of: Callable[[S], frozenset[Claim]] = _no_claims
    fields_of: Callable[[E], frozenset[str]] = _type_name
    """What an event touches, by which two commands that met are told to be compatible or not."""
    taken: Callable[[ClaimTaken, S], Refusal] = _never_taken
    """The refusal when a claim of the state that was wanted belongs to another stream."""


PRODUCT: Final[Aggregate[ProductCommand, ProductState, ProductEvent]] = Aggregate(
    product.PRODUCT, claims_of=product.claims_of, fields_of=evolution.fields_of, taken=_sku_taken
)
STOCK: Final[Aggregate[StockCommand, StockState, StockEvent]] = Aggregate(stock.STOCK)
LISTING: Final[Aggregate[ListingCommand, ListingState, ListingEvent]] = Aggregate(listing.LISTING)
CONNECTION: Final[Aggregate[ConnectionCommand, ConnectionState, ConnectionEvent]] = Aggregate(
    connection.CONNECTION, claims_of=connection.claims_of, taken=_shop_taken
)
