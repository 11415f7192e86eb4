"""Commands, queries and edits over HTTP while every part runs on this machine, a simulated shop among them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import httpx
import psycopg

from services.demo.seller import connect_shop, import_catalogue
from services.demo.story import shop_price
from services.simulators.shopee.html import rupiah
from tests.benchmarks import append_load, part
from tests.benchmarks.append import BARE_SQL
from tests.benchmarks.append_load import BARE, Measure
from tests.benchmarks.bare_server import bare_server
from tests.benchmarks.figures import LOWER, OURS, Comparison, Part, percentile
from tests.benchmarks.http_load import Caller, Latencies, Request, Requests, as_fast_as_it_goes, at_a_rate, callers_of
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import scratch_database
from tests.benchmarks.running import Running, calm, everything, part_of_catalogue

ABOUT: Final = """
API, relay, views, reactions, pushes, a simulated shop, PostgreSQL and Kafka run as processes of their own on this
machine, and so does the client; the shipped catalogue is imported, connected and at the shop. Fifty connections change
prices with PATCH, each as soon as its last is answered, and then by a schedule, where latency counts from when a
command was due. In the mix each of fifty users searches products, reads a product, reads the state of a product's
listings, and with one request in ten changes a price. The control is the same HTTP server (uvicorn, httptools, uvloop)
with an application that reads the request and answers as many bytes: no authorisation, no validation, no database. Bare
SQL is what PostgreSQL alone needs for as many callers, without HTTP. An edit counts from when its PATCH was due until
the page of the shop shows the price, looked at every few milliseconds; its control is an edit by hand on the shop's own
page, of goods that nobody synchronises. All parts are idle again before the next contender has its turn.
"""
BARE_HTTP: Final = "bare ASGI answer"
BY_HAND: Final = "edit at the shop itself"
CALLERS: Final = 50
WORDS: Final = ("batik", "kopi gayo", "sambal", "kemeja pria", "frame", "teh")
COMMAND: Final = "command"
KINDS: Final = {"search": "product list with search", "product": "one product", "listings": "listing status"}
MIX: Final = (COMMAND, *("search", "product", "listings") * 3)
LOOK: Final = 0.005
LONGEST: Final = 60.0
"""Seconds until an edit that is not at the shop counts as lost."""


class Plan(NamedTuple):
    products: int
    seconds: float
    rate: float
    mix_rate: float
    edits: int
    every: float
    """Seconds between two edits."""
    rounds: int


PLANS: Final = {
    Size.SMALL: Plan(40, 0.7, 200, 50, 5, 0.2, 1),
    Size.FULL: Plan(1_000, 5.0, 500, 100, 100, 0.2, 3),
}


async def measure(size: Size, progress: Progress) -> Part:
    """Everything at once, as users meet it."""
    plan = PLANS[size]
    found = Part(name="whole", title="The whole system over HTTP", about=ABOUT)
    progress.steps = 1 + 3 * plan.rounds
    progress.step("import, and every listing to the shop")
    with servers() as address, part_of_catalogue(plan.products) as catalogue:
        async with AsyncExitStack() as stack:
            running = await stack.enter_async_context(everything(address, catalogue))
            url, _ = await stack.enter_async_context(scratch_database(address.database_url))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(BARE["create_bare_append"])
            sql = await stack.enter_async_context(append_load.bare(url, CALLERS))
            bare = await stack.enter_async_context(bare_server())
            await import_catalogue(running.settings, running.story)
            await running.story.views()
            await connect_shop(running.settings, running.links, lambda _: None)
            await running.story.listed()
            whole = Whole(
                running,
                await stack.enter_async_context(callers_of(running.links.api, CALLERS)),
                await stack.enter_async_context(callers_of(bare, CALLERS)),
                sql,
                [one["id"] async for one in running.story.api.pages("/api/v2/products", limit=200, status="active")],
            )
            found.facts["products"] = len(whole.products)
            found.comparisons = await whole.rounds(plan, progress)
    return found


class Whole:
    def __init__(
        self,
        running: Running,
        ours: Sequence[Caller],
        bare: Sequence[Caller],
        sql: Measure,
        products: Sequence[str],
    ) -> None:
        self._running, self._ours, self._bare, self._sql = running, ours, bare, sql
        self.products = products
        self._prices = itertools.count(50_000)

    async def rounds(self, plan: Plan, progress: Progress) -> list[Comparison]:
        who = f"{CALLERS} callers"
        per_second = Comparison(title=f"commands, {who}", unit="commands/s", control=BARE_HTTP)
        crowded = Comparison(title=f"commands, {who}, p99", unit="ms", control=BARE_HTTP, better=LOWER)
        steady = Comparison(title=f"commands at {plan.rate:g}/s, p99", unit="ms", control=BARE_HTTP, better=LOWER)
        mixed = Comparison(title=f"{CALLERS} users, nine queries to a command", unit="requests/s", control=BARE_HTTP)
        kinds = {
            kind: Comparison(
                title=f"{KINDS.get(kind, kind)} in the mix at {plan.mix_rate:g}/s, p99",
                unit="ms",
                control=BARE_HTTP,
                better=LOWER,
            )
            for kind in (*KINDS, COMMAND)
        }
        middle = Comparison(title="edit to shop, p50", unit="ms", control=BY_HAND, better=LOWER)
        slow = Comparison(title="edit to shop, p95", unit="ms", control=BY_HAND, better=LOWER)
        sizes = await self._sizes_of_answers()
        contenders: list[tuple[str, Sequence[Caller], Requests, Requests]] = [
            (OURS, self._ours, self._command, self._mix),
            (BARE_HTTP, self._bare, lambda _: _bare(COMMAND, sizes), lambda n: _bare(MIX[n % len(MIX)], sizes)),
        ]
        for number in range(plan.rounds):
            said = f"round {number + 1} of {plan.rounds}"
            progress.step(f"edits, {said}")
            for name, took in (
                (OURS, await self._edits(plan)),
                (BY_HAND, await self._edits_by_hand(plan)),
            ):
                middle.add(name, percentile(took, 0.5) * 1000)
                slow.add(name, percentile(took, 0.95) * 1000)
            progress.step(f"commands, {said}")
            for name, callers, command, _ in contenders:
                await self.calm()
                began = time.perf_counter()
                took = (await as_fast_as_it_goes(callers, command, plan.seconds))[COMMAND]
                per_second.add(name, len(took) / (time.perf_counter() - began))
                crowded.add(name, _p99(took))
                await self.calm()
                steady.add(name, _p99((await at_a_rate(callers, command, plan.rate, plan.seconds))[COMMAND]))
            await self.calm()
            sql = await self._sql(plan.seconds)
            per_second.add(BARE_SQL, sql.per_second)
            crowded.add(BARE_SQL, sql.p99_ms)
            progress.step(f"queries mixed with commands, {said}")
            for name, callers, _, mix in contenders:
                await self.calm()
                began = time.perf_counter()
                all_kinds = await as_fast_as_it_goes(callers, mix, plan.seconds)
                mixed.add(name, _number(all_kinds) / (time.perf_counter() - began))
                await self.calm()
                by_kind = await at_a_rate(callers, mix, plan.mix_rate, plan.seconds)
                for kind, comparison in kinds.items():
                    comparison.add(name, _p99(by_kind[kind]))
        return [per_second, crowded, steady, mixed, *kinds.values(), middle, slow]

    async def calm(self) -> None:
        await calm(self._running.story.api)

    def _command(self, number: int) -> Request:
        return self._change_price(self.products[number % len(self.products)], next(self._prices))

    def _change_price(self, product: str, price: int) -> Request:
        body = b'{"base_price":%d}' % price
        return Request.of(COMMAND, "PATCH", f"/api/v2/products/{product}", self._running.key, body)

    def _mix(self, number: int) -> Request:
        kind, turn = MIX[number % len(MIX)], number // len(MIX)
        product = self.products[turn % len(self.products)]
        if kind == COMMAND:
            return self._change_price(product, next(self._prices))
        word = WORDS[turn % len(WORDS)].replace(" ", "+")
        path = {
            "search": f"/api/v2/products?q={word}&limit=20",
            "product": f"/api/v2/products/{product}",
            "listings": f"/api/v2/listings?product_id={product}",
        }[kind]
        return Request.of(kind, "GET", path, self._running.key)

    async def _sizes_of_answers(self) -> dict[str, int]:
        """Bytes, by kind of request: what the control answers as well."""
        found: dict[str, list[float]] = {}
        for request in map(self._mix, range(20 * len(MIX))):
            found.setdefault(request.kind, []).append(len(await self._ours[0].ask(request)))
        return {kind: int(percentile(sizes, 0.5)) for kind, sizes in found.items()}

    async def _edits(self, plan: Plan) -> list[float]:
        """Seconds of each edit, one after the other of another product."""
        await self.calm()
        story = self._running.story
        items = await story.shop.items()
        edited = [(await story.api.get(f"/api/v2/products/{one}")) for one in self.products[: plan.edits]]

        async def edit(number: int) -> tuple[int, int]:
            product, price = edited[number % len(edited)], next(self._prices)
            await self._ours[number % CALLERS].ask(self._change_price(product["id"], price))
            return items[product["sku"]]["item_id"], shop_price(price)

        return await self._until_shown(edit, plan)

    async def _edits_by_hand(self, plan: Plan) -> list[float]:
        await self.calm()
        shop = self._running.story.shop
        if not (goods := [item for sku, item in (await shop.items()).items() if sku.startswith("SIM-")]):
            await shop.http.post("/_simulator/seed", params={"n": min(plan.edits, 20)})
            return await self._edits_by_hand(plan)
        prices = itertools.count(201_000)

        async def edit(number: int) -> tuple[int, int]:
            item, price = goods[number % len(goods)], next(prices)
            await shop.edit_price(item, item["models"][0], price)
            return item["item_id"], price

        return await self._until_shown(edit, plan)

    async def _until_shown(self, edit: Callable[[int], Awaitable[tuple[int, int]]], plan: Plan) -> list[float]:
        """From when an edit is due until its item at the shop shows its price."""
        async with httpx.AsyncClient(base_url=self._running.links.simulator) as http:

            async def one(number: int, due: float) -> float:
                item, price = await edit(number)
                shown = f'value="{rupiah(price)}"'
                async with asyncio.timeout(LONGEST):
                    while shown not in (await http.get(f"/seller/items/{item}")).text:
                        await asyncio.sleep(LOOK)
                return time.perf_counter() - due

            tasks = []
            async with asyncio.TaskGroup() as group:
                for number, due in _schedule(plan):
                    await asyncio.sleep(max(due - time.perf_counter(), 0))
                    tasks.append(group.create_task(one(number, due)))
        return [task.result() for task in tasks]


def _schedule(plan: Plan) -> Iterator[tuple[int, float]]:
    began = time.perf_counter()
    return ((number, began + number * plan.every) for number in range(plan.edits))


def _bare(kind: str, sizes: Mapping[str, int]) -> Request:
    method, body = ("PATCH", b'{"base_price":50000}') if kind == COMMAND else ("GET", b"")
    return Request.of(kind, method, f"/{sizes[kind]}", "none", body)


def _p99(seconds: list[float]) -> float:
    return percentile(seconds, 0.99) * 1000


def _number(latencies: Latencies) -> int:
    return sum(map(len, latencies.values()))


if __name__ == "__main__":
    part.run("whole", measure)
