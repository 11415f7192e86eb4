"""The processes of the demonstration, and where they answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

import httpx

from infrastructure.local_stack.ports import choose_free, is_free
from infrastructure.settings import Settings
from services.demo.story import TookTooLong
from services.servers import environment_of
from services.supervisor import Part, Supervisor
from services.together import NICENESS, free_ports, parts

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Links:
    api: str
    simulator: str
    metrics: dict[str, int]


def links_of(settings: Settings, say: Say) -> Links:
    port = settings.api_port
    if not is_free(port):
        port = choose_free(excluding=frozenset())
        say(f"port {settings.api_port} is taken by another program; the API listens on {port}")
    metrics = free_ports()
    simulator = choose_free(excluding=frozenset({*metrics.values(), port}))
    return Links(f"http://{settings.api_host}:{port}", f"http://127.0.0.1:{simulator}", metrics)


def supervisor_of(settings: Settings, links: Links, log: TextIO) -> Supervisor:
    environment = {
        **environment_of(settings),
        "SYNCSTORE_API_PORT": str(settings.api_port),
        "SYNCSTORE_PUBLIC_URL": links.api,
        "SYNCSTORE_PICTURES": "drawn",
        "SYNCSTORE_PUSH_CONCURRENCY": "8",
    }
    shop = Part(
        "shopee",
        (
            "simulate",
            "shopee",
            "--port",
            links.simulator.rpartition(":")[2],
            "--callback-url",
            f"{links.api}/api/webhooks/shopee",
            "--snapshot",
            str(settings.folder / "shopee.json"),
        ),
        niceness=NICENESS["push"],
    )

    def write(part: str, line: str) -> None:
        log.write(f"{part:<8}| {line}\n")
        log.flush()

    return Supervisor([shop, *parts(links.metrics)], environment, write)


async def until_it_answers(http: httpx.AsyncClient, path: str) -> None:
    try:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(path)).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise TookTooLong(f"{http.base_url}{path} does not answer") from error
