"""A shop that lives in memory: its listings, what can happen to them there, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from domain.listing.events import FieldGroup
from domain.policies.retry import ErrorClass
from domain.values import Image
from infrastructure.platforms.connector import Capabilities, ExternalListing, PlatformCallFailed, PlatformError
from infrastructure.platforms.hints import LostPush

CAPABILITIES: Final = Capabilities(
    name="in_memory",
    list_page=50,
    read_batch=50,
    rows_per_write=50,
    price_min=100,
    price_max=1_000_000_000,
    price_spread=7,
    title_min=5,
    title_max=255,
    description_min=20,
    description_max=3000,
    images_max=9,
    stock_min=0,
    stock_max=999_999,
    variants_max=50,
    option_levels_max=2,
    stock_delta=False,
    idempotent_create=False,
    pushable=frozenset(FieldGroup),
)


class InMemoryShop:
    """The listings, and what can happen to them at the shop."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.listings: dict[str, ExternalListing] = {}
        self.locked: set[tuple[str, str]] = set()
        """(field, SKU) pairs that a promotion holds."""
        self.lost: list[LostPush] = []
        """Notifications that did not arrive, the oldest first."""
        self.calls: list[str] = []
        self._failures: list[PlatformError] = []
        self._sequence = 0

    def next_id(self) -> str:
        self._sequence += 1
        return str(self._sequence)

    def fail_next(self, error: PlatformError, count: int = 1) -> None:
        """The next calls fail as a whole."""
        self._failures += [error] * count

    def called(self, name: str) -> None:
        """Raises `PlatformCallFailed` when a failure is due."""
        self.calls.append(name)
        if self._failures:
            raise PlatformCallFailed(self._failures.pop(0))

    def put(self, listing: ExternalListing) -> None:
        self.listings[listing.external_id] = replace(listing, updated_at=self.now())

    def change_variant(self, external_id: str, sku: str, *, price: int | None = None, stock: int | None = None) -> None:
        """What a person does at the shop."""
        listing = self.listings[external_id]
        variants = tuple(
            replace(
                variant,
                price=variant.price if price is None else price,
                stock=variant.stock if stock is None else stock,
            )
            if variant.sku == sku
            else variant
            for variant in listing.variants
        )
        self.put(replace(listing, variants=variants))

    def reserve(self, external_id: str, sku: str, quantity: int) -> None:
        """What a buyer does."""
        listing = self.listings[external_id]
        variants = tuple(
            replace(variant, reserved=variant.reserved + quantity) if variant.sku == sku else variant
            for variant in listing.variants
        )
        self.put(replace(listing, variants=variants))


def check_content(title: str, description: str) -> None:
    if not CAPABILITIES.title_min <= len(title) <= CAPABILITIES.title_max:
        raise failed(ErrorClass.VALID, "title_length", "title_refused")
    if not CAPABILITIES.description_min <= len(description) <= CAPABILITIES.description_max:
        raise failed(ErrorClass.VALID, "description_length", "description_refused")


def check_images(images: tuple[Image, ...]) -> None:
    if not 1 <= len(images) <= CAPABILITIES.images_max:
        raise failed(ErrorClass.VALID, "image_count", "image_refused")


def check_prices(prices: list[int], *, spread_only: bool = False) -> None:
    if not spread_only and not all(CAPABILITIES.price_min <= price <= CAPABILITIES.price_max for price in prices):
        raise failed(ErrorClass.VALID, "price_out_of_range", "price_refused")
    if CAPABILITIES.price_spread and max(prices) > CAPABILITIES.price_spread * min(prices):
        raise failed(ErrorClass.VALID, "price_spread", "price_spread")


def refusal(error_class: ErrorClass, code: str, hint: str) -> PlatformError:
    return PlatformError(error_class=error_class, code=code, message=code.replace("_", " "), hint=hint)


def failed(error_class: ErrorClass, code: str, hint: str) -> PlatformCallFailed:
    return PlatformCallFailed(refusal(error_class, code, hint))
