"""The connector of a shop that lives in memory: the same interface as to the real ones."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from domain.policies.retry import ErrorClass
from infrastructure.platforms import connector as port
from infrastructure.platforms.connector import (
    Capabilities,
    ContentChange,
    Created,
    ExternalListing,
    ListedVariant,
    ListingDraft,
    ListingPage,
    ListingStatus,
    ListingSummary,
    PlatformCallFailed,
    PlatformError,
    PriceChange,
    PushResult,
    RowAccepted,
    RowRefused,
    StockChange,
)
from infrastructure.platforms.hints import LostPushes
from infrastructure.platforms.in_memory_shop import (
    CAPABILITIES,
    InMemoryShop,
    check_content,
    check_images,
    check_prices,
    failed,
    refusal,
)

LOST_PAGE: Final = 100


class _Row(Struct, frozen=True):
    external_variant_id: str | None
    sku: str
    value: int


class InMemoryConnector:
    def __init__(self, shop: InMemoryShop) -> None:
        self._shop = shop

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    async def list_listings(self, cursor: str | None = None, updated_since: datetime | None = None) -> ListingPage:
        self._shop.called("list_listings")
        start = int(cursor or "0")
        found = [
            listing
            for listing in self._shop.listings.values()
            if listing.status is not ListingStatus.DELETED
            and (updated_since is None or listing.updated_at >= updated_since)
        ]
        end = start + CAPABILITIES.list_page
        return ListingPage(
            items=tuple(
                ListingSummary(external_id=listing.external_id, status=listing.status, updated_at=listing.updated_at)
                for listing in found[start:end]
            ),
            next_cursor=str(end) if end < len(found) else None,
            total=len(found),
        )

    async def read_listings(self, external_ids: tuple[str, ...]) -> tuple[ExternalListing, ...]:
        self._shop.called("read_listings")
        known = self._shop.listings
        return tuple(known[external_id] for external_id in dict.fromkeys(external_ids) if external_id in known)

    async def find_by_sku(self, sku: str) -> tuple[str, ...]:
        self._shop.called("find_by_sku")
        return self._carrying(sku)

    async def create(self, draft: ListingDraft, idempotency_key: str) -> Created:  # noqa: ARG002  # the shop has no such key
        self._shop.called("create")
        code = draft.sku if draft.variants[0].options else draft.variants[0].sku
        present = self._carrying(code)
        if len(present) > 1:
            raise failed(ErrorClass.CONFLICT, "sku_on_several_listings", "duplicate")
        if present:
            variants = {variant.sku: variant.external_id for variant in self._shop.listings[present[0]].variants}
            return Created(external_id=present[0], variants=variants, found=True)
        check_content(draft.title, draft.description)
        check_images(draft.images)
        check_prices([variant.price for variant in draft.variants])
        listing = ExternalListing(
            external_id=self._shop.next_id(),
            sku=code,
            title=draft.title,
            description=draft.description,
            status=ListingStatus.LIVE,
            images=tuple(image.url for image in draft.images),
            weight_kg=draft.weight_kg,
            category_id=draft.category_id,
            updated_at=self._shop.now(),
            variants=tuple(
                ListedVariant(
                    external_id=self._shop.next_id() if variant.options else None,
                    sku=variant.sku,
                    options=variant.options,
                    price=variant.price,
                    stock=variant.stock,
                )
                for variant in draft.variants
            ),
        )
        self._shop.put(listing)
        variants = {variant.sku: variant.external_id for variant in listing.variants}
        return Created(external_id=listing.external_id, variants=variants)

    async def update_content(self, external_id: str, change: ContentChange) -> PushResult:
        self._shop.called("update_content")
        listing = self._existing(external_id)
        if change.images is not None:
            check_images(change.images)
        new: dict[str, str | tuple[str, ...] | Decimal] = {}
        if change.title is not None:
            new[port.TITLE] = change.title
        if change.description is not None:
            new[port.DESCRIPTION] = change.description
        if change.images is not None:
            new[port.IMAGES] = tuple(image.url for image in change.images)
        if change.weight_kg is not None:
            new[port.WEIGHT] = change.weight_kg
        title, description = change.title or listing.title, change.description or listing.description
        check_content(title, description)
        self._shop.put(
            replace(
                listing,
                title=title,
                description=description,
                images=listing.images if change.images is None else tuple(image.url for image in change.images),
                weight_kg=listing.weight_kg if change.weight_kg is None else change.weight_kg,
            )
        )
        return PushResult(
            tuple(
                RowAccepted(sku=None, field=field, value_now=str(value) if isinstance(value, Decimal) else value)
                for field, value in new.items()
            )
        )

    async def update_prices(self, external_id: str, changes: tuple[PriceChange, ...]) -> PushResult:
        self._shop.called("update_prices")
        rows = [_Row(change.external_variant_id, change.sku, change.price) for change in changes]
        listing = self._existing(external_id)
        new = {row.external_variant_id: row.value for row in rows}
        check_prices([new.get(variant.external_id, variant.price) for variant in listing.variants], spread_only=True)
        return self._write(listing, port.PRICE, rows)

    async def update_stock(self, external_id: str, changes: tuple[StockChange, ...]) -> PushResult:
        self._shop.called("update_stock")
        rows = [_Row(change.external_variant_id, change.sku, change.stock) for change in changes]
        return self._write(self._existing(external_id), port.STOCK, rows)

    async def set_listed(self, external_id: str, *, listed: bool) -> PushResult:
        self._shop.called("set_listed")
        listing = self._existing(external_id)
        if listing.status not in (ListingStatus.LIVE, ListingStatus.UNLISTED):
            error = refusal(ErrorClass.LOCKED, "not_editable", "under_review")
            return PushResult(refused=(RowRefused(sku=None, field=port.LISTED, error=error),))
        self._shop.put(replace(listing, status=ListingStatus.LIVE if listed else ListingStatus.UNLISTED))
        return PushResult((RowAccepted(sku=None, field=port.LISTED, value_now=listed),))

    async def lost_pushes(self) -> LostPushes:
        self._shop.called("lost_pushes")
        oldest = tuple(self._shop.lost[:LOST_PAGE])
        token = str(len(oldest)) if oldest else None
        return LostPushes(messages=oldest, token=token, more=len(self._shop.lost) > len(oldest))

    async def confirm_lost_pushes(self, token: str) -> None:
        self._shop.called("confirm_lost_pushes")
        del self._shop.lost[: int(token)]

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _write(self, listing: ExternalListing, field: str, rows: list[_Row]) -> PushResult:
        variants = {variant.external_id: variant for variant in listing.variants}
        result = PushResult()
        for row in rows:
            variant = variants.get(row.external_variant_id)
            error = self._refusal(field, variant, row.value)
            if variant is None or error is not None:
                error = error or refusal(ErrorClass.MISSING, "variant_missing", "variant_missing")
                result += PushResult(refused=(RowRefused(sku=row.sku, field=field, error=error),))
                continue
            variants[row.external_variant_id] = (
                replace(variant, price=row.value) if field == port.PRICE else replace(variant, stock=row.value)
            )
            result += PushResult((RowAccepted(sku=row.sku, field=field, value_now=row.value),))
        if rows and not result.accepted and len({row.error for row in result.refused}) == 1:
            raise PlatformCallFailed(result.refused[0].error)
        self._shop.put(replace(listing, variants=tuple(variants.values())))
        return result

    def _refusal(self, field: str, variant: ListedVariant | None, value: int) -> PlatformError | None:
        if variant is None:
            return None
        if (field, variant.sku) in self._shop.locked:
            return refusal(ErrorClass.LOCKED, "in_promotion", f"promotion_locks_{field}")
        if field == port.PRICE and not CAPABILITIES.price_min <= value <= CAPABILITIES.price_max:
            return refusal(ErrorClass.VALID, "price_out_of_range", "price_refused")
        if field == port.STOCK and value < variant.reserved:
            return refusal(ErrorClass.VALID, "stock_below_reserved", "stock_below_reserved")
        return None

    def _carrying(self, sku: str) -> tuple[str, ...]:
        return tuple(listing.external_id for listing in self._shop.listings.values() if listing.carries(sku))

    def _existing(self, external_id: str) -> ExternalListing:
        listing = self._shop.listings.get(external_id)
        if listing is None or listing.status is ListingStatus.DELETED:
            raise failed(ErrorClass.MISSING, "listing_missing", "listing_missing")
        return listing
