"""The Shopee connector: one shop, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final

from domain.policies.retry import ErrorClass
from infrastructure.platforms import connector as port
from infrastructure.platforms.at_once import at_once
from infrastructure.platforms.connector import (
    Capabilities,
    ContentChange,
    Created,
    ExternalListing,
    ListingDraft,
    ListingPage,
    PlatformCallFailed,
    PlatformError,
    PriceChange,
    PushResult,
    RowAccepted,
    RowRefused,
    StockChange,
)
from infrastructure.platforms.hints import LostPushes
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.shopee import mapping, requests, rows, webhook, wire
from infrastructure.platforms.shopee.capabilities import CAPABILITIES
from infrastructure.platforms.shopee.envelope import parse
from infrastructure.platforms.shopee.mapping import NO_MODEL, number
from infrastructure.platforms.shopee.pictures import Pictures
from infrastructure.platforms.shopee.transport import ShopeeSession

_NEW_ITEM_WAITS: Final = (0.5, 1.0, 1.5, 2.0, 2.0)
"""A new item may be unknown to `init_tier_variation` for about five seconds."""


class ShopeeConnector:
    """Owns nothing but its session; `close` is what to call when it is done, such as closing the HTTP client."""

    def __init__(
        self,
        session: ShopeeSession,
        images: ImageSource,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        close: Callable[[], Awaitable[None]] | None = None,
        limits: Capabilities = CAPABILITIES,
    ) -> None:
        self._session = session
        self._pictures = Pictures(session, images)
        self._now = now
        self._sleep = sleep
        self._close = close
        self._limits = limits
        self._channels: list[int] = []

    @property
    def capabilities(self) -> Capabilities:
        return self._limits

    async def list_listings(self, cursor: str | None = None, updated_since: datetime | None = None) -> ListingPage:
        offset, _, until = (cursor or "0").partition("@")
        ended_at = None
        if updated_since is not None:
            # All pages look at the same span, or offsets would shift under edits made meanwhile.
            ended_at = mapping.moment(int(until)) if until else self._now()
        call = requests.get_item_list(offset=int(offset), updated_from=updated_since, updated_to=ended_at)
        page = parse((await self._session.ask(call)).response, wire.ItemList)
        return mapping.listing_page(page, f"@{int(ended_at.timestamp())}" if ended_at else "")

    async def read_listings(self, external_ids: tuple[str, ...]) -> tuple[ExternalListing, ...]:
        ids = [number(external_id) for external_id in dict.fromkeys(external_ids)]
        batches = [ids[start : start + requests.IDS_PER_READ] for start in range(0, len(ids), requests.IDS_PER_READ)]
        items = [item for found in await at_once([self._items(batch) for batch in batches]) for item in found]
        return tuple(await at_once([self._listing(item) for item in items]))

    async def find_by_sku(self, sku: str) -> tuple[str, ...]:
        candidates: list[int] = []
        offset = ""
        while True:
            call = requests.search_item(item_sku=sku, offset=offset)
            result = parse((await self._session.ask(call)).response, wire.SearchResult)
            found = result.item_id_list or []
            candidates += found
            offset = result.next_offset or ""
            if not found or not offset:
                break
        # The search matches parts of a SKU as well.
        listings = await self.read_listings(tuple(map(str, candidates)))
        return tuple(listing.external_id for listing in listings if listing.carries(sku))

    async def create(self, draft: ListingDraft, idempotency_key: str) -> Created:  # noqa: ARG002  # Shopee has no such key
        code = draft.sku if draft.variants[0].options else draft.variants[0].sku
        present = await self.find_by_sku(code)
        if len(present) > 1:
            raise PlatformCallFailed(
                PlatformError(
                    error_class=ErrorClass.CONFLICT,
                    code="sku_on_several_listings",
                    message=f"{code} is on the items {', '.join(present)}; link one of them by hand",
                    hint="duplicate",
                )
            )
        if present:
            (listing,) = await self.read_listings(present)
            variants = {variant.sku: variant.external_id for variant in listing.variants}
            unfinished = bool(draft.variants[0].options) and listing.variants[0].external_id is None
            if unfinished:
                variants = await self._make_variants(number(present[0]), draft)
            return Created(external_id=present[0], variants=variants, found=True)
        image_ids = await self._pictures.ids(draft.images)
        body = mapping.item_fields(draft, image_ids, await self._shipping())
        item = parse((await self._session.ask(requests.add_item(body))).response, wire.AddedItem)
        if draft.variants[0].options:
            variants = await self._make_variants(item.item_id, draft)
        else:
            variants = {draft.variants[0].sku: None}
        return Created(external_id=str(item.item_id), variants=variants)

    async def update_content(self, external_id: str, change: ContentChange) -> PushResult:
        fields: dict[str, Any] = {}
        if change.title is not None:
            fields["item_name"] = change.title
        if change.description is not None:
            fields["description"] = change.description
        if change.weight_kg is not None:
            fields["weight"] = change.weight_kg
        image_ids: list[str] = []
        if change.images is not None:
            image_ids = await self._pictures.ids(change.images)
            fields["image"] = {"image_id_list": image_ids}
        if not fields:
            return PushResult()
        item_id = number(external_id)
        answer = await self._session.ask(requests.update_item(item_id, fields))
        echo = rows.Echo() if answer.response == b"null" else parse(answer.response, rows.Echo)
        if not rows.covers(echo, change):
            echo = next((rows.echo_of(item) for item in await self._items([item_id])), rows.Echo())
        return rows.content_result(change, image_ids, echo)

    async def update_prices(self, external_id: str, changes: tuple[PriceChange, ...]) -> PushResult:
        sent = [rows.Sent(_model(change.external_variant_id), change.sku, change.price) for change in changes]
        return await self._write(number(external_id), port.PRICE, sent, requests.update_price)

    async def update_stock(self, external_id: str, changes: tuple[StockChange, ...]) -> PushResult:
        sent = [rows.Sent(_model(change.external_variant_id), change.sku, change.stock) for change in changes]
        return await self._write(number(external_id), port.STOCK, sent, requests.update_stock)

    async def set_listed(self, external_id: str, *, listed: bool) -> PushResult:
        item_id = number(external_id)
        answer = await self._session.try_(requests.unlist_item(item_id, unlist=not listed))
        lists = rows.row_lists(answer)
        if any(row.item_id == item_id and row.unlist == (not listed) for row in lists.success_list or ()):
            return PushResult(accepted=(RowAccepted(sku=None, field=port.LISTED, value_now=listed),))
        if not lists.failure_list and answer.error is not None:
            raise PlatformCallFailed(answer.error)
        error = rows.reason_of(lists.failure_list, answer.error)
        return PushResult(refused=(RowRefused(sku=None, field=port.LISTED, error=error),))

    async def lost_pushes(self) -> LostPushes:
        answer = await self._session.ask(requests.get_lost_push_message())
        found = parse(answer.response, wire.LostMessages)
        return LostPushes(
            messages=webhook.lost(found.push_message_list or ()),
            token=None if found.last_message_id is None else str(found.last_message_id),
            more=found.has_next_page,
        )

    async def confirm_lost_pushes(self, token: str) -> None:
        await self._session.ask(requests.confirm_consumed_lost_push_message(int(token)))

    async def aclose(self) -> None:
        if self._close is not None:
            await self._close()

    async def _items(self, ids: Sequence[int]) -> list[wire.ItemInfo]:
        try:
            answer = await self._session.ask(requests.get_item_base_info(ids))
        except PlatformCallFailed as failure:
            if failure.error.error_class is ErrorClass.MISSING:
                return []
            raise
        return parse(answer.response, wire.ItemInfos).item_list or []

    async def _listing(self, item: wire.ItemInfo) -> ExternalListing:
        models = None
        if item.has_model:
            answer = await self._session.ask(requests.get_model_list(item.item_id))
            models = parse(answer.response, wire.ModelList)
        return mapping.listing(item, models)

    async def _make_variants(self, item_id: int, draft: ListingDraft) -> dict[str, str | None]:
        call = requests.init_tier_variation(item_id, mapping.variation_fields(draft.variants))
        for wait in (*_NEW_ITEM_WAITS, None):
            answer = await self._session.try_(call)
            if answer.error is None:
                break
            if wait is None or answer.error.error_class is not ErrorClass.MISSING:
                raise PlatformCallFailed(answer.error)
            await self._sleep(wait)
        made = parse(answer.response, wire.ModelList).model or []
        ids: dict[str, str | None] = {model.model_sku or "": str(model.model_id) for model in made}
        return {variant.sku: ids[variant.sku] for variant in draft.variants if variant.sku in ids}

    async def _write(
        self,
        item_id: int,
        field: str,
        sent: Sequence[rows.Sent],
        build: Callable[[int, Sequence[tuple[int, int]]], requests.Call],
    ) -> PushResult:
        """Calls of at most 50 rows each. The first one's failure is the push's, a later one's only its rows'."""
        result = PushResult()
        for start in range(0, len(sent), requests.ROWS_PER_WRITE):
            chunk = sent[start : start + requests.ROWS_PER_WRITE]
            try:
                answer = await self._session.try_(build(item_id, [(row.model_id, row.value) for row in chunk]))
                result += rows.write_result(field, chunk, answer)
            except PlatformCallFailed as failure:
                if start == 0:
                    raise
                return result + rows.all_refused(field, sent[start:], failure.error)
        return result

    async def _shipping(self) -> list[int]:
        if not self._channels:
            answer = await self._session.ask(requests.get_channel_list())
            channels = parse(answer.response, wire.ChannelList).logistics_channel_list or []
            self._channels = [channel.logistics_channel_id for channel in channels if channel.enabled]
        return self._channels


def _model(external_variant_id: str | None) -> int:
    return NO_MODEL if external_variant_id is None else number(external_variant_id)
