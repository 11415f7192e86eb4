"""The one interface behind which every marketplace stands, and the values that cross it.

Prices are whole rupiah, stock whole pieces, weights kilograms. Nothing a connector returns means "it worked" by itself:
a push names each value that the platform has proven to show, and each one it has refused.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from domain.listing.events import FieldGroup
from domain.policies.retry import ErrorClass
from domain.values import Image, Option
from infrastructure.platforms.hints import LostPushes

TITLE = "title"
DESCRIPTION = "description"
IMAGES = "images"
WEIGHT = "weight"
LISTED = "listed"
PRICE = "price"
STOCK = "stock"


class PlatformError(Struct, frozen=True, kw_only=True):
    """Why a platform said no. `message` is in the platform's own words; `hint` is a key of `explanations`."""

    error_class: ErrorClass
    code: str
    message: str = ""
    retry_after: float | None = None
    """Seconds to leave the connection alone."""
    hint: str = "unknown"


class PlatformCallFailed(Exception):
    """A call failed as a whole: no value of it is known to have been taken."""

    def __init__(self, error: PlatformError) -> None:
        super().__init__(f"{error.error_class.value}: {error.code}: {error.message}")
        self.error = error


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a platform takes. Bounds are inclusive; None means no limit known."""

    name: str
    list_page: int
    """Listings a page."""
    read_batch: int
    """Listings a detail call."""
    rows_per_write: int
    """Variants a price or stock call; longer pushes are split by the connector."""
    price_min: int
    price_max: int
    price_spread: int | None
    """How many times its lowest variant price a listing's highest may be."""
    title_min: int
    title_max: int
    description_min: int
    description_max: int
    images_max: int
    stock_min: int
    stock_max: int
    variants_max: int
    option_levels_max: int
    stock_delta: bool
    """Whether stock can be changed by an amount; otherwise only set."""
    idempotent_create: bool
    """Whether the platform itself recognises a repeated create."""
    pushable: frozenset[FieldGroup]


class ListingStatus(StrEnum):
    LIVE = "live"
    UNLISTED = "unlisted"
    IN_REVIEW = "in_review"
    BANNED = "banned"
    DELETED = "deleted"


class ListedVariant(Struct, frozen=True, kw_only=True):
    """A variant as the shop holds it; `external_id` is None where the platform has no variant level."""

    external_id: str | None
    sku: str
    options: tuple[Option, ...] = ()
    price: int
    stock: int
    """As a stock write sets it: reserved pieces included."""
    reserved: int = 0
    in_promotion: bool = False


class ExternalListing(Struct, frozen=True, kw_only=True):
    """Everything a platform tells about one listing."""

    external_id: str
    sku: str
    title: str
    description: str
    status: ListingStatus
    images: tuple[str, ...]
    weight_kg: Decimal | None
    category_id: str
    updated_at: datetime
    variants: tuple[ListedVariant, ...]

    def carries(self, sku: str) -> bool:
        """Whether it is there and has this SKU, in any case, as a whole or as a variant."""
        codes = {code.casefold() for code in (self.sku, *(variant.sku for variant in self.variants))}
        return self.status is not ListingStatus.DELETED and sku.casefold() in codes


class ListingSummary(Struct, frozen=True, kw_only=True):
    external_id: str
    status: ListingStatus
    updated_at: datetime
    detail: ExternalListing | None = None
    """Where the platform's list tells everything; otherwise `read_listings` does."""


class ListingPage(Struct, frozen=True, kw_only=True):
    """Some listings. The list has ended only when `next_cursor` is None, however short the page."""

    items: tuple[ListingSummary, ...]
    next_cursor: str | None
    total: int | None = None


class DraftVariant(Struct, frozen=True, kw_only=True):
    sku: str
    options: tuple[Option, ...] = ()
    price: int
    stock: int


class ListingDraft(Struct, frozen=True, kw_only=True):
    """A listing to be made. All variants have the same option names, in the same order."""

    sku: str
    """The product's own code, by which a create that was cut off is found again."""
    title: str
    description: str
    category_id: str
    weight_kg: Decimal
    images: tuple[Image, ...]
    variants: tuple[DraftVariant, ...]
    days_to_ship: int | None = None
    """None where goods are in stock and ship at once."""


class Created(Struct, frozen=True, kw_only=True):
    """The platform's ids. `variants` gives each SKU its variant id, None where there is no variant level."""

    external_id: str
    variants: dict[str, str | None]
    found: bool = False
    """True when the listing was there already and was taken up instead of made."""


class ContentChange(Struct, frozen=True, kw_only=True):
    """New content; None leaves a field as it is."""

    title: str | None = None
    description: str | None = None
    images: tuple[Image, ...] | None = None
    weight_kg: Decimal | None = None


class PriceChange(Struct, frozen=True):
    external_variant_id: str | None
    sku: str
    price: int


class StockChange(Struct, frozen=True):
    external_variant_id: str | None
    sku: str
    stock: int


class RowAccepted(Struct, frozen=True, kw_only=True):
    """The platform's answer shows this value. `sku` is None for fields of the whole listing."""

    sku: str | None
    field: str
    value_now: int | str | bool | tuple[str, ...]


class RowRefused(Struct, frozen=True, kw_only=True):
    sku: str | None
    field: str
    error: PlatformError


class PushResult(Struct, frozen=True):
    """The fate of every row sent: each is in exactly one of the two."""

    accepted: tuple[RowAccepted, ...] = ()
    refused: tuple[RowRefused, ...] = ()

    def __add__(self, other: PushResult) -> PushResult:
        return PushResult(self.accepted + other.accepted, self.refused + other.refused)


class Connector(Protocol):
    """One shop on one platform. Every method raises `PlatformCallFailed`; cancelling a call leaves its outcome open."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def list_listings(self, cursor: str | None = None, updated_since: datetime | None = None) -> ListingPage:
        """One page; start with None, go on with `next_cursor`. Price edits may not count as updates."""
        ...

    async def read_listings(self, external_ids: tuple[str, ...]) -> tuple[ExternalListing, ...]:
        """Full detail of those that exist; any number of ids."""
        ...

    async def find_by_sku(self, sku: str) -> tuple[str, ...]:
        """Ids of the listings that carry exactly this SKU, themselves or in a variant; deleted ones left out."""
        ...

    async def create(self, draft: ListingDraft, idempotency_key: str) -> Created:
        """Make the listing, or take up the one that an earlier, cut-off attempt has left."""
        ...

    async def update_content(self, external_id: str, change: ContentChange) -> PushResult: ...

    async def update_prices(self, external_id: str, changes: tuple[PriceChange, ...]) -> PushResult:
        """Set prices; any number of rows. Rows proven before a later call failed are returned, not lost."""
        ...

    async def update_stock(self, external_id: str, changes: tuple[StockChange, ...]) -> PushResult: ...

    async def set_listed(self, external_id: str, *, listed: bool) -> PushResult: ...

    async def lost_pushes(self) -> LostPushes:
        """Notifications that did not reach us; none where the platform keeps none."""
        ...

    async def confirm_lost_pushes(self, token: str) -> None:
        """Those up to `token` are stored here."""
        ...

    async def aclose(self) -> None: ...
