"""The composition root: every process is built here from settings, and what is opened here is closed here."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import httpx
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from domain.ports import Clock
from infrastructure.answers.answers import Answers
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.http import HttpClient
from infrastructure.jobs.jobs import Jobs
from infrastructure.kafka import topics
from infrastructure.kafka.client import reaching
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.effect import Effect
from infrastructure.platforms.connector import Connector
from infrastructure.platforms.images import HttpImages, ImageSource
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, WORKER, Pool, open_pool
from infrastructure.retention.retention import run_retention
from infrastructure.security.api_keys import ApiKeys, KeyRing
from infrastructure.security.sealing import Sealer
from infrastructure.settings import Settings
from infrastructure.shops.lanes import Lane
from infrastructure.shops.secrets import SecretsStore
from projections.fill import Source
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections, live_runner
from relay.loop import run_relay as relay_until
from services.api.server import serve
from services.app import App
from services.consumers.desired import DeriveDesired
from services.consumers.lane import LaneRunner
from services.consumers.lane_keeper import LaneKeeper
from services.consumers.product_state import PublishProductState
from services.consumers.push_queue import QueuePushes
from services.consumers.pusher import Pusher
from services.consumers.watch import Watch
from services.health import database_check, kafka_check, outbox_check, schema_check, secrets_check
from services.jobs import run_jobs
from services.notifications import Notifications
from services.servers import kafka_of
from services.shops import CONNECTIONS, Shops, images_max, price_bounds
from services.simulators.images import DrawnImages
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from services.usecases.stock import Stock


def owner() -> str:
    """Names this process in leases; containers may share both a host name and a process id."""
    return f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"


async def run_api(settings: Settings, stop: asyncio.Event) -> None:
    """Serve HTTP, and do the jobs that requests leave behind."""
    async with open_app(settings) as app:
        working = asyncio.create_task(run_jobs(app, stop))
        try:
            await serve(app, settings.api_host, settings.api_port, stop)
        finally:
            stop.set()  # also where the server could not be: jobs end before the pool that they use
            await working


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """What entry points ask, working as the application's role."""
    url, kafka = _url(settings), kafka_of(settings)
    async with (
        open_pool(url, role=APP, name="syncstore-api", max_size=settings.api_pool) as pool,
        open_clock(pool) as clock,
    ):
        store, identities = PostgresEventStore(pool), TimeSortedIdentities()
        products, secrets = Products(store, identities), SecretsStore(pool, Sealer(settings.keys()))
        yield App(
            clock=clock,
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
            notifications=Notifications(
                pool, secrets, settings.public_url or f"http://{settings.api_host}:{settings.api_port}"
            ),
            metrics=REGISTRY,
            checks={
                "database": database_check(pool),
                "schema": schema_check(pool),
                "secrets": secrets_check(secrets),
                "kafka": kafka_check(kafka.bootstrap),
                "outbox": outbox_check(pool),
            },
        )


async def run_relay(settings: Settings, stop: asyncio.Event) -> None:
    """Bring what commands have stored to Kafka."""
    async with open_pool(
        _url(settings), role=WORKER, name="syncstore-relay", max_size=settings.worker_pool, by_index=True
    ) as pool:
        await relay_until(pool, kafka_of(settings), stop, owner=owner())


async def run_project(settings: Settings, stop: asyncio.Event) -> None:
    """Keep the views; at a first start, or when a view has taken another shape, build it before."""
    url, kafka = _url(settings), kafka_of(settings)
    async with open_pool(url, role=WORKER, name="syncstore-project", max_size=settings.worker_pool) as pool:
        with reaching(kafka):
            await build_missing(VIEWS, Source(url, WORKER), pool, kafka)
        await live_runner(VIEWS, pool, kafka).run(stop)


async def run_react(settings: Settings, stop: asyncio.Event) -> None:
    """Derive what shops shall show, publish the products' states, and delete what is kept for a time only."""
    kafka = kafka_of(settings)
    async with (
        open_pool(
            _url(settings), role=WORKER, name="syncstore-react", max_size=settings.worker_pool, by_index=True
        ) as pool,
        open_effects(settings, pool) as effects,
    ):
        reactions = (DeriveDesired.name, PublishProductState.name)
        await asyncio.gather(
            *(Consumer(effects[name], pool, kafka).run(stop) for name in reactions),
            run_retention(pool, stop, days=settings.keep_days),
        )


@asynccontextmanager
async def open_effects(settings: Settings, pool: Pool) -> AsyncIterator[dict[str, Effect]]:
    """What every consumer does, by name. `pool` works as the worker role.

    Raises KafkaUnavailable.
    """
    kafka = kafka_of(settings)
    store, identities = PostgresEventStore(pool), TimeSortedIdentities()
    async with AsyncExitStack() as stack:
        clock = await stack.enter_async_context(open_clock(pool))
        producer = AIOKafkaProducer(**kafka.client_options(), enable_idempotence=True)
        stack.push_async_callback(producer.stop)
        with reaching(kafka):
            await producer.start()
        effects: tuple[Effect, ...] = (
            Projections(VIEWS),
            DeriveDesired(
                (topics.PRODUCT, topics.STOCK, topics.CONNECTION),
                store,
                pool,
                Listings(store, identities),
                clock,
                price_bounds(),
                images_max(),
            ),
            PublishProductState((topics.PRODUCT,), topics.PRODUCT_STATE, store, producer),
            QueuePushes((topics.LISTING, topics.CONNECTION)),
        )
        yield {effect.name: effect for effect in effects}


async def run_push(settings: Settings, stop: asyncio.Event) -> None:
    """Push what listings need, shop by shop, and watch the shops."""
    kafka = kafka_of(settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(_url(settings), role=WORKER, name="syncstore-push", max_size=settings.worker_pool, by_index=True)
        )
        store = PostgresEventStore(pool)
        clock = await stack.enter_async_context(open_clock(pool))
        identities, me = TimeSortedIdentities(), owner()
        listings, connections = Listings(store, identities), Connections(store, identities)
        shops = await stack.enter_async_context(open_shops(settings, pool, clock))
        queue = QueuePushes((topics.LISTING, topics.CONNECTION))
        pusher = Pusher(listings, Products(store, identities), clock)

        def runner(lane: Lane, connector: Connector) -> LaneRunner:
            return LaneRunner(lane, connector, pool, pusher, connections, clock, settings.push_concurrency, queue.woken)

        def watch(lane: Lane, connector: Connector, running: LaneRunner) -> Watch:
            return Watch(
                lane,
                me,
                connector,
                running.connection,
                pool,
                listings,
                clock,
                identities,
                timedelta(seconds=settings.poll_seconds),
                timedelta(seconds=settings.full_scan_seconds),
            )

        keeper = LaneKeeper(pool, me, shops.connector, shops.authorisation, runner, watch)
        await asyncio.gather(Consumer(queue, pool, kafka).run(stop), keeper.run(stop))


@asynccontextmanager
async def open_shops(settings: Settings, pool: Pool, clock: Clock) -> AsyncIterator[Shops]:
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with HttpClient(limits=limits) as http:
        yield Shops(
            http=http,
            images=_images(settings, http),
            pool=pool,
            secrets=SecretsStore(pool, Sealer(settings.keys())),
            now=clock.now,
        )


def _images(settings: Settings, http: httpx.AsyncClient) -> ImageSource:
    if settings.pictures == "drawn":
        return DrawnImages()
    hosts = None if settings.picture_hosts is None else frozenset(settings.picture_hosts.replace(" ", "").split(","))
    return HttpImages(http, hosts)


def _url(settings: Settings) -> str:
    assert settings.database_url is not None, "with_servers() comes first"
    return settings.database_url
