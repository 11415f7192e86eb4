"""The API over a real database, without a server: requests go straight into the ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from infrastructure.answers.answers import Answers
from infrastructure.clock import SystemClock, TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.jobs.jobs import Jobs
from infrastructure.postgres.pool import Pool
from infrastructure.security.api_keys import ApiKeys, KeyRing, Scope
from projections.registry import VIEWS
from projections.runner import LIVE, Projections
from projections.tables import block, create_table
from services.api.application import create_api
from services.app import App
from services.health import database_check, outbox_check, schema_check
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from services.usecases.stock import Stock

ORG = "toko-batik"
Project = Callable[[], Awaitable[None]]


def app_over(pool: Pool) -> App:
    store, identities = PostgresEventStore(pool), TimeSortedIdentities()
    products = Products(store, identities)
    return App(
        clock=SystemClock(),
        identities=identities,
        store=store,
        pool=pool,
        key_ring=KeyRing(ApiKeys(pool)),
        products=products,
        stock=Stock(store, identities, products),
        listings=Listings(store, identities),
        connections=Connections(store, identities),
        jobs=Jobs(pool),
        answers=Answers(pool),
        metrics=CollectorRegistry(),
        checks={"database": database_check(pool), "schema": schema_check(pool), "outbox": outbox_check(pool)},
    )


@pytest.fixture
def app(app_pool: Pool) -> App:
    return app_over(app_pool)


@pytest.fixture
async def keys(app_pool: Pool) -> ApiKeys:
    return ApiKeys(app_pool)


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Without a key, and not from this machine."""
    asgi: Any = create_api(app)
    transport = httpx.ASGITransport(asgi, client=("203.0.113.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        yield client


@pytest.fixture
async def api(http: httpx.AsyncClient, keys: ApiKeys) -> httpx.AsyncClient:
    """With a key that may do everything in ORG."""
    key = await keys.issue(ORG, "tests", [Scope.ADMIN])
    http.headers["authorization"] = f"Bearer {key}"
    return http


@pytest.fixture
async def project(worker_pool: Pool) -> Project:
    """Brings empty views up to date with the event store, as the projector does from Kafka."""
    async with worker_pool.connection() as connection:
        for view in VIEWS:
            await create_table(connection, view, 1)
            for statement in ("indexes", "view"):
                await connection.execute(block(view, statement, 1).encode())
            await connection.execute(f"grant select on projections.{view.name} to syncstore_app".encode())
            await connection.execute(
                "insert into projection_generations (view, generation, shape, state) values (%s, 1, %s, 'live')",
                (view.name, view.shape),
            )
    store, runner = PostgresEventStore(worker_pool), Projections(VIEWS, generations={view.name: 1 for view in VIEWS})
    token: str | None = None

    async def run() -> None:
        nonlocal token
        async for batch in store.read_all(after=token):
            async with worker_pool.connection() as connection, connection.transaction():
                await runner.apply(connection, batch.events)
                await connection.execute(
                    "insert into consumer_offsets (consumer, topic, partition, next_offset, position) "
                    "values (%s, 'syncstore.product', 0, 1, %s) on conflict (consumer, topic, partition) "
                    "do update set position = excluded.position",
                    (LIVE, max((event.position for event in batch.events), default=0)),
                )
            token = batch.token

    return run
