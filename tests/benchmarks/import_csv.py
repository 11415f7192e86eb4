"""Catalogue files into the event store, beside the appends alone that this comes to; and a new catalogue to a shop."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from domain.messages import Append, Appended, Outcome
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.local_stack.stack import StackAddress
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, Pool, open_pool
from services.catalogue_import import import_path
from services.demo.seller import CATEGORIES, connect_shop, import_catalogue
from services.usecases.import_stock import ImportPlan
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import scratch_database
from tests.benchmarks.running import CATALOGUE, PATIENCE, everything
from tests.support.installation import until

ABOUT: Final = """
A CSV file is read, checked and stored, product by product, with the stock it tells, as `syncstore import` does. The
control is the bulk append alone: the very appends that the import has just sent, sent again for another organisation in
the same portions. The store is new at the start and grows from round to round for both. Then every part runs, with a
simulated shop already connected, and a file of new products is imported; the time runs from the start of the import
until the shop has an item for each, pictures uploaded, looked at twice a second.
"""
CEILING: Final = "the same appends alone"
VARIANTS: Final = 4
WAREHOUSE: Final = "JKT"


class Plan(NamedTuple):
    rows: int
    rounds: int
    listings: int


PLANS: Final = {Size.SMALL: Plan(1_000, 2, 30), Size.FULL: Plan(20_000, 5, 1_000)}


class Recording(PostgresEventStore):
    """Keeps what it is given."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.calls: list[Sequence[Append]] = []

    async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        self.calls.append(appends)
        return await super().append_many(org_id, appends)


async def measure(size: Size, progress: Progress) -> Part:
    """Imports of the shipped catalogue and of a large one; listings of new products."""
    plan = PLANS[size]
    found = Part(name="import", title="CSV import", about=ABOUT)
    progress.steps = 2 * plan.rounds + 1
    with servers() as address, tempfile.TemporaryDirectory(prefix="syncstore-bench-") as folder:
        large = generated(Path(folder) / "large.csv", plan.rows // VARIANTS, VARIANTS)
        async with scratch_database(address.database_url) as (url, _):
            for name, file in (("the shipped catalogue", CATALOGUE), ("generated", large)):
                found.comparisons.append(await compare(url, name, file, plan.rounds, progress))
        progress.step(f"{plan.listings:,} new listings to the shop")
        new = generated(Path(folder) / "new.csv", plan.listings, 1)
        found.facts = await listings_to_shop(address, new, plan.listings)
    return found


async def compare(url: str, name: str, file: Path, rounds: int, progress: Progress) -> Comparison:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = sum(1 for _ in csv.DictReader(lines))
    title = f"{name}, {rows:,} rows"
    comparison = Comparison(title=title, unit="rows/s", control=CEILING)
    async with open_pool(url, role=APP, name="bench") as pool, open_clock(pool) as clock:
        for number in range(rounds):
            progress.step(f"{title}, round {number + 1} of {rounds}")
            store, org = Recording(pool), f"{file.stem}-{number}"
            began = time.perf_counter()
            tally = await import_path(
                file,
                org,
                ImportPlan(warehouse=WAREHOUSE),
                store=store,
                clock=clock,
                identities=TimeSortedIdentities(),
            )
            comparison.add(OURS, rows / (time.perf_counter() - began))
            assert tally.created == rows, tally
            comparison.add(CEILING, rows / await append_again(PostgresEventStore(pool), f"{org}-again", store.calls))
    return comparison


async def append_again(store: PostgresEventStore, org: str, calls: Sequence[Sequence[Append]]) -> float:
    began = time.perf_counter()
    for appends in calls:
        outcomes = await store.append_many(org, appends)
        assert all(isinstance(outcome, Appended) for outcome in outcomes)
    return time.perf_counter() - began


async def listings_to_shop(address: StackAddress, file: Path, listings: int) -> dict[str, float | int | str | bool]:
    async with everything(address, file) as running:
        shop = running.story.shop
        await connect_shop(running.settings, running.links, lambda _: None)

        async def shown() -> bool:
            return len(await shop.items()) >= listings

        began = time.perf_counter()
        await import_catalogue(running.settings, running.story)
        imported = time.perf_counter() - began
        await until(shown, PATIENCE, every=0.5)
        took = time.perf_counter() - began
        calls = sum((await shop.state())["calls"].values())
    return {
        "new listings": listings,
        "seconds until all are imported": round(imported, 2),
        "seconds until all are at the shop": round(took, 1),
        "listings a second": round(listings / took, 1),
        "calls of the shop for each": round(calls / listings, 1),
    }


def generated(file: Path, products: int, variants: int) -> Path:
    """Writes so many products of so many variants (rows) each, in shops' categories, with stock and a picture each."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(_row(0, 0, variants)))
        writer.writeheader()
        writer.writerows(_row(product, variant, variants) for product in range(products) for variant in range(variants))
    return file


def _row(product: int, variant: int, variants: int) -> dict[str, str | int]:
    sku = f"GEN-{product:06d}"
    alone = variants == 1
    return {
        "sku": sku if alone else f"{sku}-{variant}",
        "product_sku": "" if alone else sku,
        "option_1_name": "" if alone else "Ukuran",
        "option_1_value": "" if alone else variant,
        "name": f"Kemeja Batik Pria Lengan Panjang Motif Parang {product}",
        "description": "Kemeja batik lengan panjang motif parang dari katun primisima yang adem, jahitan rapi.",
        "category": CATEGORIES[product % (len(CATEGORIES) - 1)][0],
        "tags": "batik|kemeja pria",
        "base_price": 50_000 + product,
        "cost_price": 30_000,
        "weight_kg": "0.320",
        "stock": 30,
        "image_urls": f"https://images.example/{sku}.jpg",
        "status": "active",
    }


if __name__ == "__main__":
    part.run("import", measure)
