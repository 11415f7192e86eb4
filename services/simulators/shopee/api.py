"""The API itself: which path is which call, and how an answer or a refusal becomes an envelope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from services.simulators.shopee import access, goods, offers, reading, variants
from services.simulators.shopee.calls import Context
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.faults import Fault, Faults
from services.simulators.shopee.gate import Gate, Query, Refused
from services.simulators.shopee.shop import LoggedCall, Shop

PREFIX: Final = "/api/v2/"


class Endpoint(Struct, frozen=True):
    method: str
    run: Callable[[Context], Any]
    public: bool = False
    flat: bool = False
    """Token calls put their fields beside `error`."""


ENDPOINTS: Final[dict[str, Endpoint]] = {
    "auth/token/get": Endpoint("POST", access.get_token, public=True, flat=True),
    "auth/access_token/get": Endpoint("POST", access.refresh, public=True, flat=True),
    "product/get_item_list": Endpoint("GET", reading.get_item_list),
    "product/search_item": Endpoint("GET", reading.search_item),
    "product/get_item_base_info": Endpoint("GET", reading.get_item_base_info),
    "product/get_model_list": Endpoint("GET", reading.get_model_list),
    "product/get_item_promotion": Endpoint("GET", reading.get_item_promotion),
    "product/get_category": Endpoint("GET", reading.get_category),
    "product/get_item_limit": Endpoint("GET", reading.get_item_limit),
    "product/add_item": Endpoint("POST", goods.add_item),
    "product/update_item": Endpoint("POST", goods.update_item),
    "product/init_tier_variation": Endpoint("POST", variants.init_tier_variation),
    "product/add_model": Endpoint("POST", variants.add_model),
    "product/update_model": Endpoint("POST", variants.update_model),
    "product/delete_model": Endpoint("POST", variants.delete_model),
    "product/update_price": Endpoint("POST", offers.update_price),
    "product/update_stock": Endpoint("POST", offers.update_stock),
    "product/unlist_item": Endpoint("POST", goods.unlist_item),
    "product/delete_item": Endpoint("POST", goods.delete_item),
    "media_space/upload_image": Endpoint("POST", access.upload_image, public=True),
    "logistics/get_channel_list": Endpoint("GET", reading.get_channel_list),
    "order/get_order_list": Endpoint("GET", reading.get_order_list),
    "push/get_lost_push_message": Endpoint("GET", access.get_lost_push_message, public=True),
    "push/confirm_consumed_lost_push_message": Endpoint("POST", access.confirm_lost_push_message, public=True),
}


class Incoming(Struct, frozen=True, kw_only=True):
    method: str
    path: str
    """Behind /api/v2/."""
    query: Query
    body: bytes
    files: tuple[bytes, ...] = ()
    image_host: str


class Reply(Struct, frozen=True):
    status: int
    body: bytes
    content_type: str = "application/json"
    retry_after: int | None = None


class Api:
    def __init__(self, config: SimulatorConfig, shop: Shop) -> None:
        self.faults = Faults()
        self._config = config
        self._shop = shop
        self._gate = Gate(config, shop)
        self._requests = 0

    async def handle(self, incoming: Incoming) -> Reply:
        started = time.perf_counter()
        fault = self.faults.take(incoming.path, incoming.query)
        if self.faults.latency_ms > 0:
            await asyncio.sleep(self.faults.latency_ms / 1000)
        if fault is not None and fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        reply, error = self._answer(incoming, fault)
        self._shop.calls[incoming.path] += 1
        if error:
            self._shop.errors[error] += 1
        self._shop.log.append(
            LoggedCall(
                at=self._shop.now(),
                method=incoming.method,
                path=incoming.path,
                status=reply.status,
                error=error,
                milliseconds=(time.perf_counter() - started) * 1000,
            )
        )
        return reply

    def _answer(self, incoming: Incoming, fault: Fault | None) -> tuple[Reply, str]:
        kind = fault.kind if fault is not None else ""
        if kind == "http_500":
            return Reply(500, b"Internal Server Error", "text/plain"), "http_500"
        if kind == "html":
            return Reply(200, b"<html><body>Maintenance</body></html>", "text/html"), "html"
        if fault is not None and kind == "error":
            return self._refusal(Refused(fault.error, fault.message)), fault.error
        try:
            content, flat = self._run(incoming, short_by=int(kind == "short_page"))
        except Refused as refusal:
            return self._refusal(refusal), refusal.error
        if kind == "lost_answer":
            return Reply(502, b"<html><body>Bad Gateway</body></html>", "text/html"), "lost_answer"
        return self._envelope("", "", content, flat=flat), ""

    def _run(self, incoming: Incoming, *, short_by: int) -> tuple[Any, bool]:
        endpoint = ENDPOINTS.get(incoming.path)
        if endpoint is None or endpoint.method != incoming.method:
            raise Refused("error_not_found", "There is no such API.", status=404)
        self._gate.admit(f"{PREFIX}{incoming.path}", incoming.query, public=endpoint.public)
        context = Context(
            shop=self._shop,
            config=self._config,
            query=incoming.query,
            body=incoming.body,
            files=incoming.files,
            image_host=incoming.image_host,
            short_by=short_by,
        )
        return endpoint.run(context), endpoint.flat

    def _refusal(self, refusal: Refused) -> Reply:
        reply = self._envelope(refusal.error, refusal.message, refusal.response, flat=False)
        retry_after = 1 if refusal.status == 429 else None
        return Reply(refusal.status, reply.body, reply.content_type, retry_after)

    def _envelope(self, error: str, message: str, content: Any, *, flat: bool) -> Reply:
        self._requests += 1
        envelope = {"error": error, "message": message, "warning": "", "request_id": f"sim{self._requests:08x}"}
        if flat:
            envelope |= content
        elif content is not None:
            envelope["response"] = content
        return Reply(200, msgspec.json.encode(envelope))
