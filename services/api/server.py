"""Serving the API over HTTP until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterator
from typing import Any, Final, Literal

import structlog
import uvicorn

from services.api.application import create_api
from services.app import App
from services.listening import PortTaken, listen

DRAIN_SECONDS: Final = 10
"""How long requests under way may take to end once the server is told to stop."""

log: Final = structlog.get_logger()


REMEDY: Final = "choose another with --port or SYNCSTORE_API_PORT"


async def serve(app: App, host: str, port: int, stop: asyncio.Event) -> None:
    """Answer requests until `stop` is set; then take no new ones, finish those under way, and return.

    The event loop is the caller's choice; uvloop serves a third more. Raises PortTaken.
    """
    config = config_of(create_api(app), host, port)
    # What has been imported and built stays: looking it over again in each full collection stops everything for 60 ms.
    gc.collect()
    gc.freeze()
    server = _Server(config)
    listening = listen(host, port, remedy=REMEDY)
    serving = asyncio.create_task(server.serve([listening]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    except SystemExit:
        raise PortTaken(f"port {port} on {host} cannot be listened on; {REMEDY}") from None
    finally:
        stopping.cancel()
    log.info("api_stopped")


def config_of(application: Any, host: str, port: int, *, lifespan: Literal["on", "off"] = "on") -> uvicorn.Config:
    """How an ASGI application is served here."""
    return uvicorn.Config(
        application,
        host=host,
        port=port,
        loop="none",
        http="httptools",
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=75,
    )


class _Server(uvicorn.Server):
    """Leaves signals to the process that runs it: `stop` is how it is told."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
