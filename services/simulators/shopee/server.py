"""The simulated Shopee as an HTTP server: the API, the switches for tests and the seller's pages."""

import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from litestar import Litestar, Request, Response, route
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from infrastructure.http import HttpClient
from services.listening import listen
from services.simulators.shopee import control, pages, snapshot
from services.simulators.shopee.api import Api, Incoming
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.gate import Query
from services.simulators.shopee.pushes import PushSender
from services.simulators.shopee.shop import Shop
from services.simulators.shopee.simulator import Simulator

HttpRequest = Request[Any, Any, Any]


def create_app(config: SimulatorConfig, now: Callable[[], float] = time.time) -> Litestar:
    """`now` gives epoch seconds. Raises `SnapshotUnreadable`."""
    shop = Shop(snapshot.load(config.snapshot), now)
    http = HttpClient()
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
    async def call(request: HttpRequest, path: FromPath[str]) -> Response[bytes]:
        reply = await simulator.api.handle(await _incoming(request, path.strip("/")))
        headers = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
        return Response(reply.body, status_code=reply.status, media_type=reply.content_type, headers=headers)

    app = Litestar(
        route_handlers=[call, *control.handlers(simulator), *pages.handlers(simulator)],
        lifespan=[running],
        openapi_config=None,
        logging_config=None,  # the process decides what is logged
        request_max_body_size=100 * 1024 * 1024,
    )
    app.state.simulator = simulator
    return app


async def serve(config: SimulatorConfig, host: str = "127.0.0.1", port: int = 8091) -> None:
    """Until cancelled or told to stop by a signal.

    Raises ValueError for an address that others could reach, PortTaken.
    """
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the simulator has no protection and only listens on loopback addresses, not on {host}")
    settings = uvicorn.Config(create_app(config), host=host, port=port, log_level="warning", access_log=False)
    await uvicorn.Server(settings).serve([listen(host, port, remedy="choose another with --port")])


async def _incoming(request: HttpRequest, path: FromPath[str]) -> Incoming:
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
