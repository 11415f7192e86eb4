"""The one list of event types: wire name and schema version of each, and how bytes become events again.

A wire name outlives its class name and is never reused. A field with a default may be added to a shape at any time; any
other change takes the next schema version and an upcaster here, with a golden file of the old bytes beside the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from domain.connection import events as connection
from domain.errors import BrokenHistory
from domain.listing import events as listing
from domain.product import events as product
from domain.stock import events as stock

DomainEvent = product.ProductEvent | stock.StockEvent | listing.ListingEvent | connection.ConnectionEvent


class EventType(NamedTuple):
    name: str
    schema: int
    shape: type[Struct]


EVENT_TYPES: Final[tuple[EventType, ...]] = (
    EventType("product.created", 1, product.ProductCreated),
    EventType("product.renamed", 1, product.ProductRenamed),
    EventType("product.described", 1, product.ProductDescribed),
    EventType("product.base-price-changed", 1, product.BasePriceChanged),
    EventType("product.cost-price-changed", 1, product.CostPriceChanged),
    EventType("product.dimensions-changed", 1, product.DimensionsChanged),
    EventType("product.categorised", 1, product.ProductCategorised),
    EventType("product.tagged", 1, product.ProductTagged),
    EventType("product.images-changed", 1, product.ImagesChanged),
    EventType("product.variant-added", 1, product.VariantAdded),
    EventType("product.variant-changed", 1, product.VariantChanged),
    EventType("product.variant-removed", 1, product.VariantRemoved),
    EventType("product.platform-override-changed", 1, product.PlatformOverrideChanged),
    EventType("product.activated", 1, product.ProductActivated),
    EventType("product.deactivated", 1, product.ProductDeactivated),
    EventType("product.archived", 1, product.ProductArchived),
    EventType("product.restored", 1, product.ProductRestored),
    EventType("stock.received", 1, stock.StockReceived),
    EventType("stock.counted", 1, stock.StockCounted),
    EventType("stock.adjusted", 1, stock.StockAdjusted),
    EventType("listing.opened", 1, listing.ListingOpened),
    EventType("listing.linked", 1, listing.ListingLinked),
    EventType("listing.unlinked", 1, listing.ListingUnlinked),
    EventType("listing.desired-changed", 1, listing.DesiredChanged),
    EventType("listing.shadow-observed", 1, listing.ShadowObserved),
    EventType("listing.push-confirmed", 1, listing.PushConfirmed),
    EventType("listing.push-refused", 1, listing.PushRefused),
    EventType("listing.push-held", 1, listing.PushHeld),
    EventType("listing.hold-released", 1, listing.HoldReleased),
    EventType("listing.review-started", 1, listing.ReviewStarted),
    EventType("listing.review-ended", 1, listing.ReviewEnded),
    EventType("listing.paused", 1, listing.ListingPaused),
    EventType("listing.resumed", 1, listing.ListingResumed),
    EventType("listing.conflict-detected", 1, listing.ConflictDetected),
    EventType("listing.conflict-resolved", 1, listing.ConflictResolved),
    EventType("listing.drift-found", 1, listing.DriftFound),
    EventType("listing.override-kept", 1, listing.OverrideKept),
    EventType("connection.opened", 1, connection.ConnectionOpened),
    EventType("connection.pricing-rule-changed", 1, connection.PricingRuleChanged),
    EventType("connection.conflict-policy-changed", 1, connection.ConflictPolicyChanged),
    EventType("connection.categories-changed", 1, connection.CategoriesChanged),
    EventType("connection.paused", 1, connection.ConnectionPaused),
    EventType("connection.resumed", 1, connection.ConnectionResumed),
)

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {}
"""(wire name, version n) -> how to make the data of version n + 1 from it."""


class UnknownEventType(BrokenHistory):
    """A wire name that this version of the code does not know. Live readers skip it, rebuilds stop."""


class SchemaFromFuture(BrokenHistory):
    """A known wire name in a newer shape: upgrade this process before it reads on."""


class UnreadableEvent(BrokenHistory):
    """The data does not have the shape that its name and version promise."""


_encoder: Final = msgspec.json.Encoder(order="deterministic")


class Codec:
    """A list of event types with its upcasters, made ready to encode and decode."""

    def __init__(self, types: Sequence[EventType], upcasters: Mapping[tuple[str, int], Upcaster]) -> None:
        self._by_shape = {kind.shape: kind for kind in types}
        self._by_name = {kind.name: kind for kind in types}
        self._decoders = {kind.name: msgspec.json.Decoder(kind.shape) for kind in types}
        self._upcasters = upcasters

    def encode(self, event: Struct) -> tuple[str, int, bytes]:
        kind = self._by_shape[type(event)]
        return kind.name, kind.schema, _encoder.encode(event)

    def decode(self, name: str, schema: int, data: bytes) -> Struct:
        kind = self._by_name.get(name)
        if kind is None:
            raise UnknownEventType(f"no event type is named {name!r}")
        if schema > kind.schema:
            raise SchemaFromFuture(f"{name!r} has schema {schema}; this version of SyncStore reads up to {kind.schema}")
        try:
            if schema == kind.schema:
                return self._decoders[name].decode(data)
            return msgspec.convert(self._lifted(kind, schema, data), kind.shape)
        # Bytes that are no JSON, JSON of another shape, or old data that an upcaster does not find as it should be.
        except (msgspec.MsgspecError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise UnreadableEvent(f"{name!r} schema {schema} cannot be read: {error}") from error

    def _lifted(self, kind: EventType, schema: int, data: bytes) -> dict[str, Any]:
        raw: dict[str, Any] = msgspec.json.decode(data)
        for version in range(schema, kind.schema):
            raw = self._upcasters[kind.name, version](raw)
        return raw


_codec: Final = Codec(EVENT_TYPES, UPCASTERS)


def encode(event: DomainEvent) -> tuple[str, int, bytes]:
    """Wire name, schema version and JSON of an event."""
    return _codec.encode(event)


def decode(name: str, schema: int, data: bytes) -> DomainEvent:
    """The event behind stored bytes, upcast to today's shape.

    Raises UnknownEventType, SchemaFromFuture, UnreadableEvent.
    """
    return _codec.decode(name, schema, data)  # type: ignore[return-value]  # the table pairs names with event shapes
