"""Brings everything up, tells the story, and leaves it running or ends with a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TextIO
from uuid import UUID

import httpx
from msgspec.structs import replace

from domain.connection.commands import OpenConnection
from domain.connection.decider import ConnectionExists
from domain.errors import SyncStoreError
from domain.messages import CommandContext
from domain.ports import Clock
from domain.values import Platform
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.http import HttpClient
from infrastructure.local_stack.ports import choose_free, is_free
from infrastructure.platforms.registry import Access
from infrastructure.platforms.tokens import Tokens
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from infrastructure.settings import Settings
from services.bootstrap import open_shops
from services.catalogue_import import import_path
from services.demo.clients import Api, ShopSimulator
from services.demo.story import CONNECTION, Story, TookTooLong
from services.servers import environment_of
from services.simulators.shopee.config import SimulatorConfig
from services.supervisor import Part, Supervisor
from services.together import NICENESS, free_ports, parts, prepare
from services.usecases.connections import Connections
from services.usecases.import_stock import ImportPlan

ORG: Final = "toko-nusantara"
SHOP: Final = SimulatorConfig()
CATEGORIES: Final = (
    ("Batik & Fashion", "100017"),
    ("Kopi & Teh", "100031"),
    ("Sambal & Camilan", "100032"),
    ("Hobi & Drone", "100041"),
    ("", "100051"),
)
"""Categories of the demonstration's catalogue at the simulated shop, which has only a few."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Links:
    api: str
    simulator: str
    metrics: dict[str, int]


async def run_demo(settings: Settings, catalogue: Path, say: Say, *, check: bool) -> int:
    """The exit code: 0 when every figure holds. Without `check` it stays until Ctrl-C."""
    await prepare(settings, say)
    links = links_of(settings, say)
    settings = replace(settings, api_port=int(links.api.rpartition(":")[2]), pictures="drawn", public_url=links.api)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log = settings.folder / "demo.log"
    with log.open("a", encoding="utf-8") as lines:
        running = asyncio.create_task(supervisor_of(settings, links, lines).run(stop))
        telling = asyncio.create_task(_tell(settings, catalogue, links, say))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        code = _verdict(telling, say, log) if telling.done() else 130
        telling.cancel()
        if not check and code != 130:
            _showlinks_of(links, log, say)
            await stop.wait()
            say("stopping all parts; the data stays for the next time")
        stop.set()
        await running
        stopping.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    return code


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


async def _tell(settings: Settings, catalogue: Path, links: Links, say: Say) -> Story:
    key = await new_key(settings)
    started = time.monotonic()
    async with (
        HttpClient(base_url=links.api, headers={"Authorization": f"Bearer {key}"}, timeout=30) as api,
        HttpClient(base_url=links.simulator, timeout=30) as shop,
    ):
        await until_it_answers(api, "/health/ready")
        await until_it_answers(shop, "/_simulator/state")
        say(f"up            all parts answer after {time.monotonic() - started:.1f} s")
        story = Story(Api(api), ShopSimulator(shop), catalogue, say)
        await import_catalogue(settings, story)
        await story.views()
        await connect_shop(settings, links, say)
        await story.listed()
        await story.price_edits()
        await story.edit_at_shop()
        await story.conflict()
        await story.echoes()
        return story


def _verdict(telling: asyncio.Task[Story], say: Say, log: Path) -> int:
    try:
        checks = telling.result().checks
    except (SyncStoreError, httpx.HTTPError) as error:
        say(f"FAILED        {type(error).__name__}: {error}; what the parts said: {log}")
        return 1
    for what, _, detail in checks.failed:
        say(f"WRONG         {what}: {detail}")
    say(f"checks        {len(checks.done) - len(checks.failed)} of {len(checks.done)} figures hold")
    return 1 if checks.failed else 0


def _showlinks_of(links: Links, log: Path, say: Say) -> None:
    say("")
    say(f"API           {links.api}/docs")
    say(f"seller page   {links.simulator}/seller   change a price there and watch")
    say(f"metrics       {links.api}/metrics, " + ", ".join(f"{n} :{p}" for n, p in links.metrics.items()))
    say(f"log           {log}")
    say("It keeps running. Ctrl-C stops it.")


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


async def new_key(settings: Settings) -> str:
    assert settings.database_url is not None
    async with open_pool(settings.database_url, role=APP, name="syncstore-demo") as pool:
        return await ApiKeys(pool).issue(ORG, "demonstration", [Scope.ADMIN])


async def import_catalogue(settings: Settings, story: Story) -> None:
    assert settings.database_url is not None
    started = time.monotonic()
    async with (
        open_pool(settings.database_url, role=APP, name="syncstore-demo") as pool,
        open_clock(pool) as clock,
    ):
        tally = await import_path(
            story.catalogue,
            ORG,
            ImportPlan(warehouse="JKT"),
            store=PostgresEventStore(pool),
            clock=clock,
            identities=TimeSortedIdentities(),
        )
    seconds = time.monotonic() - started
    story.checks.equal("rows of the file that ended somewhere", tally.processed, len(story.rows()))
    story.checks.equal("rows rejected", tally.rejected, 0)
    story.say(
        f"import        {tally.processed} rows, {tally.products} products: {tally.created} rows new, "
        f"{tally.updated} changed, {tally.unchanged} as they were; {tally.events} events in {seconds:.1f} s"
    )


async def connect_shop(settings: Settings, links: Links, say: Say) -> None:
    assert settings.database_url is not None
    identities = TimeSortedIdentities()
    async with (
        open_pool(settings.database_url, role=APP, name="syncstore-demo") as pool,
        open_clock(pool) as clock,
    ):
        connections = Connections(PostgresEventStore(pool), identities)
        async with open_shops(settings, pool, clock) as shops:
            command = OpenConnection(
                connection_id=CONNECTION,
                platform=Platform.SHOPEE,
                shop_id=str(SHOP.shop_id),
                label="Toko Nusantara",
                categories=CATEGORIES,
            )
            access = Access(
                platform=Platform.SHOPEE,
                host=links.simulator,
                app_id=str(SHOP.partner_id),
                app_key=SHOP.partner_key,
                shop_id=str(SHOP.shop_id),
                rate=2_000.0,
            )
            await shops.authorise(ORG, CONNECTION, access, await _authorised(links, clock))
            try:
                await connections.handle(_context(clock, identities.new()), CONNECTION, command)
                say(f"connect       {CONNECTION}: Shopee simulator, price rule x 1.15")
            except ConnectionExists:
                say(f"connect       {CONNECTION} is connected already")


async def _authorised(links: Links, clock: Clock) -> Tokens:
    """A fresh pair, as after the seller's authorisation."""
    async with HttpClient(base_url=links.simulator) as http:
        pair = (await http.post("/_simulator/authorise")).json()
    return Tokens(
        access_token=pair["access_token"],
        refresh_token=pair["refresh_token"],
        expires_at=clock.now() + timedelta(seconds=pair["expire_in"]),
    )


def _context(clock: Clock, correlation_id: UUID) -> CommandContext:
    return CommandContext(org_id=ORG, actor="demo", now=clock.now(), correlation_id=correlation_id)
