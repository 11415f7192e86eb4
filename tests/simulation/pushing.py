"""Processes that push one shop's listings: killed between any two steps, cut off from shop, event store and Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID

from domain.connection.commands import OpenConnection
from domain.listing.commands import LinkListing, SetDesired
from domain.listing.diff import due
from domain.listing.events import ExternalVariant
from domain.messages import Append, CommandContext, Outcome, RecordedEvent
from domain.policies.retry import ErrorClass
from domain.ports import AsOf
from domain.values import Platform, category_of, listing_id
from infrastructure.event_store.in_memory import InMemoryEventStore
from infrastructure.kafka import cloudevents
from infrastructure.kafka.consumer import Consumer
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.partitions import partition_of
from infrastructure.kafka.topics import BY_CATEGORY, CONNECTION, LISTING
from infrastructure.platforms.connector import (
    Connector,
    ContentChange,
    ExternalListing,
    ListedVariant,
    ListingStatus,
    PlatformCallFailed,
    PlatformError,
    PriceChange,
    PushResult,
    StockChange,
)
from infrastructure.platforms.in_memory import InMemoryConnector
from infrastructure.platforms.in_memory_shop import InMemoryShop
from infrastructure.postgres.errors import DatabaseUnavailable
from infrastructure.shops.lanes import Lane
from services.consumers.lane import LaneRunner
from services.consumers.lane_keeper import LaneKeeper
from services.consumers.push_queue import QueuePushes
from services.consumers.pusher import Pusher
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from tests.simulation.broker import PARTITIONS, SESSION_SECONDS, Batch
from tests.simulation.consuming import METRICS
from tests.simulation.push_statements import at
from tests.simulation.relaying import KAFKA
from tests.simulation.world import ORG, Violation, World

SHOP: Final = "SHP"
PRODUCTS: Final = ("p1", "p2")
UNANSWERED: Final = PlatformError(error_class=ErrorClass.NETWORK, code="no_answer")
T = TypeVar("T")


class Clock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return at(self._world.loop.time())


class Numbered:
    """Identities in order."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> UUID:
        self._last += 1
        return UUID(int=self._last)


class RemoteStore(InMemoryEventStore):
    """Answers late, or not at all though it has stored."""

    def __init__(self, world: World, clock: Clock) -> None:
        super().__init__(clock)
        self._weather = world.database.weather

    async def append(self, org_id: str, append: Append) -> Outcome:
        await self._wire()
        outcome = await super().append(org_id, append)
        await self._wire(back=True)
        return outcome

    async def read_stream(
        self, org_id: str, stream: str, *, after: int = 0, as_of: AsOf | None = None
    ) -> Sequence[RecordedEvent]:
        await self._wire()
        return await super().read_stream(org_id, stream, after=after, as_of=as_of)

    async def _wire(self, *, back: bool = False) -> None:
        await asyncio.sleep(self._weather.delay())
        if self._weather.loses_answer() if back else self._weather.loses_request():
            raise DatabaseUnavailable("the connection was lost")


class RemoteShop(InMemoryConnector):
    """Takes effect at the shop even when whoever called has died since; its answer may be lost."""

    def __init__(self, world: World, shop: InMemoryShop) -> None:
        super().__init__(shop)
        self._world = world

    async def _call(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        world, weather = self._world, self._world.broker.weather
        if weather.loses_request():
            raise PlatformCallFailed(UNANSWERED)
        answer: asyncio.Future[T] = world.loop.create_future()

        def at_the_shop() -> None:
            world.note(f"shop: {name}")
            step = call().__await__()
            try:
                next(step)
            except StopIteration as done:
                if not answer.done():
                    answer.set_result(done.value)
            except PlatformCallFailed as failed:
                if not answer.done():
                    answer.set_exception(failed)

        world.loop.later(weather.delay(), at_the_shop)
        result = await answer
        await asyncio.sleep(weather.delay())
        if weather.loses_answer():
            raise PlatformCallFailed(UNANSWERED)
        return result

    async def update_content(self, external_id: str, change: ContentChange) -> PushResult:
        call = super().update_content
        return await self._call(f"title {change.title}", lambda: call(external_id, change))

    async def update_prices(self, external_id: str, changes: tuple[PriceChange, ...]) -> PushResult:
        call = super().update_prices
        return await self._call(f"price {changes[0].price}", lambda: call(external_id, changes))

    async def update_stock(self, external_id: str, changes: tuple[StockChange, ...]) -> PushResult:
        call = super().update_stock
        return await self._call(f"stock {changes[0].stock}", lambda: call(external_id, changes))


class Idle:
    """In place of the watch, which would repair what pushing had left wrong."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class Pushers:
    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = Clock(world)
        self.identities = Numbered()
        self.store = RemoteStore(world, self.clock)
        self.shop = InMemoryShop(self.clock.now)
        self.wanted: dict[str, dict[str, Any]] = {}
        self.names = 0
        self.stops: dict[str, asyncio.Event] = {}
        self._published = 0

    def context(self) -> CommandContext:
        return CommandContext(org_id=ORG, actor="user:rina", now=self.clock.now(), correlation_id=self.identities.new())

    async def _outside(self, deed: Callable[[Listings], Awaitable[object]]) -> None:
        """Somebody else's command, in good weather and decided on what is stored now."""
        weather = self.world.database.weather
        fair, weather.fair = weather.fair, True
        await deed(Listings(self.store, self.identities))
        weather.fair = fair

    async def open(self) -> None:
        command = OpenConnection(connection_id=SHOP, platform=Platform.SHOPEE, shop_id="1", label="Toko")
        connections = Connections(self.store, self.identities)
        await connections.handle(self.context(), SHOP, command)
        _, connection = await connections.get(ORG, SHOP)
        for product in PRODUCTS:
            variant = ListedVariant(external_id=None, sku=product, price=1_000, stock=1)
            self.shop.put(
                ExternalListing(
                    external_id=f"item-{product}",
                    sku=product,
                    title="Judul toko",
                    description="Deskripsi yang sudah ada di toko itu.",
                    status=ListingStatus.LIVE,
                    images=(),
                    weight_kg=Decimal("0.3"),
                    category_id="100011",
                    updated_at=datetime(2026, 1, 1, tzinfo=UTC),
                    variants=(variant,),
                )
            )
            listings = Listings(self.store, self.identities)
            await listings.open(self.context(), connection, product)
            link = LinkListing(external_id=f"item-{product}", variants=(ExternalVariant(product, None),), reason="test")
            await listings.handle(self.context(), listing_id(SHOP, product), link)
        self.publish(1_000)

    async def want(self) -> None:
        """What a derivation would record after somebody's edit."""
        random = self.world.random
        product = random.choice(PRODUCTS)
        values = self.wanted.setdefault(product, {"title": "Kemeja batik"})
        field = random.choice((f"price:{product}", f"stock:{product}", "title"))
        number = random.randrange(1_000, 9_000)
        values[field] = f"Kemeja batik {number}" if field == "title" else number
        command = SetDesired(values=dict(values), cause="test", at=self.clock.now(), by="user:rina")
        await self._outside(lambda listings: listings.handle(self.context(), listing_id(SHOP, product), command))

    def publish(self, most: int) -> None:
        """As a relay does."""
        stored = self.store._events[self._published : self._published + most]
        self._published += len(stored)
        for event in stored:
            key = event.partition_key.encode()
            batch = Batch()
            batch.append(timestamp=0, key=key, value=event.data, headers=cloudevents.headers_of(event))
            topic = BY_CATEGORY[category_of(event.stream_id)]
            self.world.broker.write(Partition(topic, partition_of(key, PARTITIONS)), batch)

    def start(self) -> None:
        self.names += 1
        name = f"pusher-{self.names}"
        stop = self.stops[name] = asyncio.Event()
        self.world.start(name, lambda: self._run(name, stop))

    async def _run(self, name: str, stop: asyncio.Event) -> None:
        """As one process of the role `push`: the consumer that queues, and the lanes."""
        pool = self.world.database.pool()
        queue = QueuePushes((LISTING, CONNECTION))
        listings, products = Listings(self.store, self.identities), Products(self.store, self.identities)
        connections = Connections(self.store, self.identities)
        pusher = Pusher(listings, products, self.clock, self.world.random.random)

        async def connect(lane: Lane) -> tuple[Connector, int]:
            return RemoteShop(self.world, self.shop), 1

        async def revision(lane: Lane) -> int:
            return 1

        def runner(lane: Lane, connector: Connector) -> LaneRunner:
            return LaneRunner(lane, connector, pool, pusher, connections, self.clock, 2, queue.woken)

        def watch(*_: object) -> Any:
            return Idle()

        consumer = Consumer(queue, pool, KAFKA, session_seconds=SESSION_SECONDS, metrics=METRICS)
        keeper = LaneKeeper(pool, name, connect, revision, runner, watch)
        await asyncio.gather(consumer.run(stop), keeper.run(stop))

    def disturb(self) -> None:
        world, random = self.world, self.world.random
        pushers = [process for process in world.living() if not self.stops[process.name].is_set()]
        match random.randrange(8):
            case 0 | 1 if pushers:
                world.kill(random.choice(pushers))
                self.start()
            case 2:
                world.stop_broker(random.random() * 0.3)
            case 3:
                world.restart_database()
            case 4 if len(pushers) < 2:
                self.start()
            case 5 if len(pushers) > 1:
                self.stops[random.choice(pushers).name].set()
            case _:
                pass

    async def drain(self) -> None:
        world = self.world
        if all(self.stops[process.name].is_set() for process in world.living()):
            self.start()
        await world.until(self._is_done, "everything pushed")
        for stop in self.stops.values():
            stop.set()
        await world.until(lambda: not world.living(), "pushers that end when asked to")
        self.publish(1_000)

    def _is_done(self) -> bool:
        self.publish(1_000)
        offsets = self.world.database.tables["consumer_offsets"]
        return not self.world.database.tables["push_queue"] and all(
            offsets.get(("push", *partition), 0) == len(log)
            for partition, log in self.world.broker.logs.items()
            if partition.topic in (LISTING, CONNECTION)
        )

    async def check(self) -> None:
        listings = Listings(self.store, self.identities)
        for product, values in self.wanted.items():
            _, listing = await listings.get(ORG, listing_id(SHOP, product))
            left = due(listing, self.clock.now())
            item = self.shop.listings[f"item-{product}"]
            shown = {
                "title": item.title,
                f"price:{product}": item.variants[0].price,
                f"stock:{product}": item.variants[0].stock,
            }
            differs = {name: (value, shown[name]) for name, value in values.items() if shown[name] != value}
            if left or differs:
                raise Violation(f"{product}: wanted and shown {differs}, still due {left}")


async def schedule(world: World) -> None:
    pushers = Pushers(world)
    world.database.weather.fair = True
    await pushers.open()
    world.database.weather.fair = False
    for _ in range(world.random.choice((1, 1, 2))):
        pushers.start()
    for _ in range(world.random.randrange(4, 14)):
        match world.random.randrange(6):
            case 0:
                pushers.disturb()
            case 1 | 2:
                pushers.publish(world.random.randrange(1, 6))
            case 3 if world.chance(0.3):
                await asyncio.sleep(world.random.random() * 3)
            case _:
                await pushers.want()
        await world.moment()
    world.heal()
    await pushers.drain()
    world.still_well()
    await pushers.check()
