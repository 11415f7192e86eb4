"""Commands over HTTP and edits to a shop with every part running on this machine: API, relay, views, reactions, pushes,
PostgreSQL, Kafka, the simulated shop, and the client that measures.

python -m tests.benchmarks.whole [--seconds 10] [--rate 500] [--edits 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import uvloop
from msgspec.structs import replace

from infrastructure.local_stack.stack import LocalStack
from infrastructure.security.local_key import local_key
from infrastructure.settings import Settings
from services.demo.clients import Api, ShopSimulator
from services.demo.run import Links, connect_shop, import_catalogue, links_of, new_key, supervisor_of, until_it_answers
from services.demo.story import Story
from services.together import prepare

ROOT = Path(__file__).parents[2]


class Caller:
    """One kept-open connection that sends PATCH requests, with as little of its own as can be."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader, self._writer, self._key = reader, writer, key

    @classmethod
    async def to(cls, links: Links, key: str) -> Caller:
        host, _, port = links.api.removeprefix("http://").rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)), key)

    async def change_price(self, product: str, price: int) -> None:
        body = b'{"base_price":%d}' % price
        self._writer.write(
            f"PATCH /api/v2/products/{product} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await self._reader.readexactly(length)
        assert head.startswith(b"HTTP/1.1 200"), (head, answer)


def figures(latencies: Sequence[float], seconds: float) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "per_second": round(len(ordered) / seconds, 1),
        "p50_ms": round(ordered[len(ordered) // 2] * 1000, 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
    }


async def as_fast_as_it_goes(callers: Sequence[Caller], products: Sequence[str], seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def call(number: int, caller: Caller) -> None:
        turn = 0
        while time.perf_counter() < end:
            turn += 1
            product = products[(number + turn * len(callers)) % len(products)]
            begun = time.perf_counter()
            await caller.change_price(product, 50_000 + turn)
            latencies.append(time.perf_counter() - begun)

    await asyncio.gather(*(call(number, caller) for number, caller in enumerate(callers)))
    return figures(latencies, seconds)


async def at_a_rate(
    callers: Sequence[Caller], products: Sequence[str], rate: float, seconds: float
) -> dict[str, float]:
    """Latency counts from when a command was due: a stall is not hidden by the commands it kept from being sent."""
    latencies: list[float] = []
    free: asyncio.Queue[Caller] = asyncio.Queue()
    for caller in callers:
        free.put_nowait(caller)

    async def one(number: int, due: float) -> None:
        caller = await free.get()
        await caller.change_price(products[number % len(products)], 70_000 + number)
        free.put_nowait(caller)
        latencies.append(time.perf_counter() - due)

    started = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        due = started + number / rate
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(one(number, due)))
    await asyncio.gather(*tasks)
    return figures(latencies, seconds)


async def edits_to_shop(api: Api, caller: Caller, products: Sequence[str], edits: int) -> dict[str, Any]:
    """One edit every 50 ms, each of another product; from the edit to the shop's acknowledgement as it was recorded."""
    chosen = products[:edits]
    for number, product in enumerate(chosen):
        await caller.change_price(product, 90_000 + number)
        await asyncio.sleep(0.05)
    latencies = []
    for number, product in enumerate(chosen):
        wanted = (90_000 + number) * 115
        while True:
            page = await api.get(f"/api/v2/products/{product}/history", type="listing.push-confirmed", limit=1)
            found = page["items"][0]["data"] if page["items"] else {"changes": []}
            if any(
                abs(change["new"] * 100 - wanted) <= 50 for change in found["changes"] if isinstance(change["new"], int)
            ):
                latencies.append(found["latency_ms"] / 1000)
                break
            await asyncio.sleep(0.2)
    return figures(latencies, 1) | {"edits": len(latencies)}


async def measure(seconds: float, rate: float, edits: int) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="syncstore-bench-"))
    stack = LocalStack(folder, jars=ROOT / ".local" / "jars")
    stop = asyncio.Event()
    try:
        address = stack.up()
        settings = replace(
            Settings(),
            local_folder=str(folder),
            database_url=address.database_url,
            kafka_bootstrap=address.kafka_bootstrap,
            encryption_keys=local_key(folder),
        )
        await prepare(settings, lambda _: None)
        links = links_of(settings, lambda _: None)
        settings = replace(settings, api_port=int(links.api.rpartition(":")[2]), pictures="drawn")
        key = await new_key(settings)
        with (folder / "parts.log").open("w") as log:
            running = asyncio.create_task(supervisor_of(settings, links, log).run(stop))
            try:
                return await _measured(settings, links, key, seconds, rate, edits)
            finally:
                stop.set()
                await running
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


async def _measured(
    settings: Settings, links: Links, key: str, seconds: float, rate: float, edits: int
) -> dict[str, Any]:
    async with (
        httpx.AsyncClient(base_url=links.api, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        httpx.AsyncClient(base_url=links.simulator, timeout=60) as shop,
    ):
        await until_it_answers(http, "/health/ready")
        await until_it_answers(shop, "/_simulator/state")
        story = Story(Api(http), ShopSimulator(shop), ROOT / "deploy" / "demo" / "catalogue.csv", lambda _: None)
        await import_catalogue(settings, story)
        await story.views()
        await connect_shop(settings, links, lambda _: None)
        await story.listed()
        products = [one["id"] async for one in story.api.pages("/api/v2/products", limit=200, status="active")]
        callers = [await Caller.to(links, key) for _ in range(32)]
        to_shop = await edits_to_shop(story.api, callers[0], products, edits)
        steady = await at_a_rate(callers, products, rate, seconds)
        full = await as_fast_as_it_goes(callers, products, seconds)
        return {"edit_to_shop": to_shop, f"http_at_{rate:g}_per_second": steady, "http_32_callers": full}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--edits", type=int, default=200)
    given = parser.parse_args()
    print(json.dumps(uvloop.run(measure(given.seconds, given.rate, given.edits)), indent=2))


if __name__ == "__main__":
    main()
