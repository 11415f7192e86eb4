"""The simulated Shopee as an HTTP server: the API, the switches for tests and the seller's pages."""

import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import uvicorn
from litestar import Litestar, Request, Response, get, post, route
from litestar.datastructures import UploadFile
from litestar.exceptions import NotFoundException
from msgspec import Struct, to_builtins

from services.simulators.shopee import pages, snapshot
from services.simulators.shopee.access import issue
from services.simulators.shopee.api import Api, Incoming
from services.simulators.shopee.calls import Context
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.faults import Faults
from services.simulators.shopee.gate import Query
from services.simulators.shopee.pushes import PushSender
from services.simulators.shopee.seed import seed
from services.simulators.shopee.shop import Shop

HttpRequest = Request[Any, Any, Any]


class Simulator(Struct, frozen=True, kw_only=True):
    """The parts, for tests that look inside; `app.state.simulator` of the app that `create_app` makes."""

    config: SimulatorConfig
    shop: Shop
    api: Api
    pushes: PushSender


def create_app(config: SimulatorConfig, now: Callable[[], float] = time.time) -> Litestar:
    """`now` gives epoch seconds. Raises `SnapshotUnreadable`."""
    shop = Shop(snapshot.load(config.snapshot), now)
    http = httpx.AsyncClient()
    simulator = Simulator(config=config, shop=shop, api=Api(config, shop), pushes=PushSender(config, shop, http))

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        keeper = snapshot.Keeper(config.snapshot, shop) if config.snapshot is not None else None
        simulator.pushes.start()
        if keeper is not None:
            keeper.start()
        yield
        await simulator.pushes.stop()
        if keeper is not None:
            await keeper.stop()
        await http.aclose()

    @route("/api/v2/{path:path}", http_method=["GET", "POST"])
    async def call(request: HttpRequest, path: str) -> Response[bytes]:
        reply = await simulator.api.handle(await _incoming(request, path.strip("/")))
        headers = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
        return Response(reply.body, status_code=reply.status, media_type=reply.content_type, headers=headers)

    @get("/_simulator/images/{image_id:str}")
    async def image(image_id: str) -> Response[bytes]:
        content = shop.images.get(image_id)
        if content is None:
            raise NotFoundException("there is no such image")
        return Response(content, media_type="image/png" if content.startswith(b"\x89PNG") else "image/jpeg")

    @get("/_simulator/state", sync_to_thread=False)
    def state() -> dict[str, Any]:
        """Everything but credentials, with counts of calls and errors."""
        return {
            "items": to_builtins(list(shop.listed()), str_keys=True),
            "orders": to_builtins(list(shop.state.orders.values())),
            "calls": dict(shop.calls),
            "errors": dict(shop.errors),
            "lost_pushes": len(shop.state.lost),
            "delivered_pushes": simulator.pushes.delivered,
            "waiting_pushes": simulator.pushes.waiting,
            "push_health": to_builtins(simulator.pushes.health()),
            "holiday": shop.state.holiday,
        }

    @post("/_simulator/seed", status_code=200, sync_to_thread=False)
    def add_goods(n: int = 10) -> dict[str, Any]:
        return {"item_ids": [item.item_id for item in seed(shop, min(n, 10_000))]}

    @post("/_simulator/faults", status_code=200)
    async def set_faults(data: Faults) -> Faults:
        """Replaces all switches; an empty object ends them."""
        simulator.api.faults = data
        return data

    @post("/_simulator/authorise", status_code=200, sync_to_thread=False)
    def authorise() -> dict[str, Any]:
        """A fresh pair of tokens, as if the seller had authorised the app again."""
        return issue(Context(shop=shop, config=config, query=Query([]), body=b"", image_host=""))

    app = Litestar(
        route_handlers=[call, image, state, add_goods, set_faults, authorise, *pages.handlers(simulator.shop, config)],
        lifespan=[running],
        openapi_config=None,
        logging_config=None,  # the process decides what is logged
        request_max_body_size=100 * 1024 * 1024,
    )
    app.state.simulator = simulator
    return app


async def serve(config: SimulatorConfig, host: str = "127.0.0.1", port: int = 8091) -> None:
    """Until cancelled or told to stop by a signal. Raises ValueError for an address that others could reach."""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the simulator has no protection and only listens on loopback addresses, not on {host}")
    settings = uvicorn.Config(create_app(config), host=host, port=port, log_level="warning", access_log=False)
    await uvicorn.Server(settings).serve()


async def _incoming(request: HttpRequest, path: str) -> Incoming:
    files: tuple[bytes, ...] = ()
    body = b""
    if request.content_type[0] == "multipart/form-data":
        form = await request.form()
        files = tuple([await part.read() for part in form.getall("image", []) if isinstance(part, UploadFile)])
    else:
        body = await request.body()
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    return Incoming(
        method=request.method,
        path=path,
        query=Query(query),
        body=body,
        files=files,
        image_host=str(request.base_url).rstrip("/"),
    )
