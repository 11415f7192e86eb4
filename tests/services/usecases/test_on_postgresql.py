"""The use cases on the real store: what the database decides (keys, versions, claims) comes back as outcomes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import group_products
from domain.catalogue_file.rows import CatalogueRow
from domain.product.commands import ChangeProduct, CreateProduct
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.pool import Pool
from services.usecases.aggregates import DuplicateSku
from services.usecases.conditions import Expected, Once
from services.usecases.import_stock import ImportPlan, StockMode
from services.usecases.imports import Tally, import_products
from services.usecases.outcome import StaleVersion
from services.usecases.products import Products
from tests.support.event_store import ORG, context

CATALOGUE = Path(__file__).parents[3] / "deploy" / "demo" / "catalogue.csv"
CREATE = CreateProduct(product_id="p1", sku="BTK-PRG", name="Kemeja Batik", base_price=189_000)


@pytest.fixture
def store(app_pool: Pool) -> PostgresEventStore:
    return PostgresEventStore(app_pool)


async def load(store: PostgresEventStore, *, batch: int, mode: StockMode = StockMode.SET) -> Tally:
    with CATALOGUE.open("rb") as lines:
        rows = [row for row in CatalogueFile(lines) if isinstance(row, CatalogueRow)]
    return await import_products(
        group_products(rows),
        ImportPlan(warehouse="JKT", stock_mode=mode),
        store=store,
        identities=TimeSortedIdentities(),
        context=context(batch=batch),
    )


@pytest.mark.parametrize("mode", StockMode)
async def test_the_demonstration_catalogue_goes_in_once(store: PostgresEventStore, mode: StockMode) -> None:
    first = await load(store, batch=1, mode=mode)
    assert (first.products, first.rejected, first.updated) == (506, 0, 0)
    assert first.events > first.products
    again = await load(store, batch=1, mode=mode)
    assert (again.unchanged, again.events) == (first.created, 0)


async def test_twenty_of_the_same_request_at_once_are_one_change(store: PostgresEventStore) -> None:
    identities = TimeSortedIdentities()
    products = Products(store, identities)
    await products.handle(context(), "p1", CREATE)

    async def ask(number: int) -> tuple[int, int, bytes]:
        asked_of = products if number % 2 else Products(store, identities)
        done = await asked_of.handle(
            context(),
            "p1",
            ChangeProduct(base_price=199_000),
            once=Once("key-1", b"digest"),
            respond=lambda version, _: f"v{version} by {number}".encode(),
        )
        return done.version, done.position, done.response

    assert len(set(await asyncio.gather(*(ask(number) for number in range(20))))) == 1
    assert len(await store.read_stream(ORG, "product-p1")) == 2


async def test_stale_versions_and_taken_skus_are_refused_with_the_facts(store: PostgresEventStore) -> None:
    identities = TimeSortedIdentities()
    products, other = Products(store, identities), Products(store, identities)
    await products.handle(context(), "p1", CREATE)
    await other.handle(context("budi"), "p1", ChangeProduct(base_price=1))
    with pytest.raises(StaleVersion, match="budi changed base_price"):
        await products.handle(context(), "p1", ChangeProduct(name="x"), expected=Expected(1))
    with pytest.raises(DuplicateSku) as refused:
        await products.handle(context(), "p2", CreateProduct(product_id="p2", sku="btk-prg", name="x", base_price=1))
    assert refused.value.facts["owner"] == "p1"
