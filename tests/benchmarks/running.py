"""Every part of SyncStore as a process of its own, as `syncstore demo` starts them, beside a simulated shop."""

from __future__ import annotations

import asyncio
import csv
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
from msgspec.structs import replace

from infrastructure.local_stack.stack import StackAddress
from infrastructure.security.local_key import local_key
from infrastructure.settings import Settings
from services.demo.clients import Api, ShopSimulator
from services.demo.processes import Links, links_of, supervisor_of, until_it_answers
from services.demo.seller import new_key
from services.demo.story import Story
from services.together import prepare
from tests.benchmarks.part import ROOT
from tests.support.installation import until

CATALOGUE = ROOT / "deploy" / "demo" / "catalogue.csv"
PATIENCE = 300.0
LOOKS = 20
"""How often in a row nothing waits when nothing will come any more."""


class Running(NamedTuple):
    settings: Settings
    links: Links
    key: str
    """Of the API, with all rights."""
    story: Story
    """Knows the API, the shop, and the catalogue that it imports."""


@asynccontextmanager
async def everything(address: StackAddress, catalogue: Path) -> AsyncIterator[Running]:
    """API, relay, views, reactions, pushes and a shop; nothing is imported or connected yet."""
    with _folder() as folder:
        settings = replace(
            Settings(),
            local_folder=str(folder),
            database_url=address.database_url,
            kafka_bootstrap=address.kafka_bootstrap,
            encryption_keys=local_key(folder),
        )
        await prepare(settings, _quietly)
        links = links_of(settings, _quietly)
        settings = replace(settings, api_port=int(links.api.rpartition(":")[2]), pictures="drawn")
        key = await new_key(settings)
        stop = asyncio.Event()
        with (folder / "parts.log").open("w", encoding="utf-8") as log:
            parts = asyncio.create_task(supervisor_of(settings, links, log).run(stop))
            try:
                async with (
                    httpx.AsyncClient(base_url=links.api, headers=_bearer(key), timeout=60) as api,
                    httpx.AsyncClient(base_url=links.simulator, timeout=60) as shop,
                ):
                    await until_it_answers(api, "/health/ready")
                    await until_it_answers(shop, "/_simulator/state")
                    yield Running(settings, links, key, Story(Api(api), ShopSimulator(shop), catalogue, _quietly))
            finally:
                stop.set()
                await parts


async def calm(api: Api) -> None:
    """Wait until everything that happened is in the views and at the shop."""
    still = 0

    async def settled() -> bool:
        nonlocal still
        status = await api.get("/api/v2/sync/status")
        # Once is not enough: an event may be in the views and not yet be a push that waits.
        still = still + 1 if status["lag"] == 0 and status["waiting"] == 0 else 0
        return still > LOOKS

    await until(settled, PATIENCE)


@contextmanager
def part_of_catalogue(products: int) -> Iterator[Path]:
    """A file of the first products of the shipped catalogue."""
    with CATALOGUE.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = set(list(dict.fromkeys(row["product_sku"] or row["sku"] for row in rows))[:products])
    with _folder() as folder, (folder / "catalogue.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if (row["product_sku"] or row["sku"]) in chosen)
        file.flush()
        yield folder / "catalogue.csv"


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="syncstore-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _quietly(_: str) -> None:
    """What the demonstration tells people is not wanted here."""
