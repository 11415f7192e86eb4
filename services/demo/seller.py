"""The seller of the demonstration: a key, a catalogue, a shop."""

from __future__ import annotations

import time
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final
from uuid import UUID

from domain.connection.commands import OpenConnection
from domain.connection.decider import ConnectionExists
from domain.messages import CommandContext
from domain.ports import Clock
from domain.values import Platform
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.http import HttpClient
from infrastructure.platforms.registry import Access
from infrastructure.platforms.tokens import Tokens
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, Pool, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from infrastructure.settings import Settings
from services.bootstrap import open_shops
from services.catalogue_import import import_path
from services.demo.processes import Links, Say
from services.demo.story import CONNECTION, Story
from services.simulators.shopee.config import SimulatorConfig
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
PATIENCE: Final = 60.0
"""Seconds for a connection to PostgreSQL: all parts are starting, and on a small machine they fill it for a while."""


async def new_key(settings: Settings) -> str:
    async with _pool(settings) as pool:
        return await ApiKeys(pool).issue(ORG, "demonstration", [Scope.ADMIN])


async def import_catalogue(settings: Settings, story: Story) -> None:
    started = time.monotonic()
    async with (
        _pool(settings) as pool,
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
    identities = TimeSortedIdentities()
    async with (
        _pool(settings) as pool,
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


def _pool(settings: Settings) -> AbstractAsyncContextManager[Pool]:
    assert settings.database_url is not None
    return open_pool(settings.database_url, role=APP, name="syncstore-demo", patience=PATIENCE)
