"""Brings everything up, tells the story, and leaves it running or ends with a verdict."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import httpx
import psycopg
from msgspec.structs import replace

from domain.errors import SyncStoreError
from infrastructure.http import HttpClient
from infrastructure.settings import Settings
from services.demo.clients import Api, ShopSimulator
from services.demo.processes import Links, Say, links_of, supervisor_of, until_it_answers
from services.demo.seller import connect_shop, import_catalogue, new_key
from services.demo.story import Story
from services.together import prepare


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
            _show_links(links, log, say)
            await stop.wait()
            say("stopping all parts; the data stays for the next time")
        stop.set()
        await running
        stopping.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    return code


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
    except (SyncStoreError, httpx.HTTPError, psycopg.Error) as error:
        say(f"FAILED        {type(error).__name__}: {error}; what the parts said: {log}")
        return 1
    for what, _, detail in checks.failed:
        say(f"WRONG         {what}: {detail}")
    say(f"checks        {len(checks.done) - len(checks.failed)} of {len(checks.done)} figures hold")
    return 1 if checks.failed else 0


def _show_links(links: Links, log: Path, say: Say) -> None:
    say("")
    say(f"API           {links.api}/docs")
    say(f"seller page   {links.simulator}/seller   change a price there and watch")
    say(f"metrics       {links.api}/metrics, " + ", ".join(f"{n} :{p}" for n, p in links.metrics.items()))
    say(f"log           {log}")
    say("It keeps running. Ctrl-C stops it.")
