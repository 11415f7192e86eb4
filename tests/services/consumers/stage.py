"""A tenant with its products, its shops and the consumers between them, driven by hand: no broker, no background."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from domain import events as wire
from domain.connection.commands import OpenConnection
from domain.connection.state import Connection
from domain.listing.commands import ListingCommand
from domain.listing.events import FieldGroup
from domain.listing.state import Listing
from domain.messages import CommandContext, RecordedEvent
from domain.policies.conflict_policy import DEFAULT_POLICY, ConflictPolicy
from domain.product.commands import ChangeProduct, CreateProduct, ProductCommand
from domain.values import Dimensions, Image, Option, Platform, Variant, category_of, listing_id, stream_id
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka import topics
from infrastructure.kafka.effect import Effect
from infrastructure.platforms.connector import Connector
from infrastructure.platforms.in_memory import InMemoryConnector
from infrastructure.platforms.in_memory_shop import InMemoryShop
from infrastructure.postgres.pool import Pool
from infrastructure.shops import lanes, push_queue
from infrastructure.shops.lanes import Lane
from infrastructure.shops.push_queue import Due
from services.consumers.desired import DeriveDesired
from services.consumers.lane import LaneRunner
from services.consumers.lane_keeper import end
from services.consumers.push_queue import QueuePushes
from services.consumers.pusher import Pusher, Turn
from services.consumers.watch import Watch
from services.shops import images_max, price_bounds
from services.usecases.connections import Connections
from services.usecases.listings import Listings
from services.usecases.products import Products
from services.usecases.stock import Stock
from tests.plugins.shopee_simulator import until

ORG: Final = "toko-batik"
ME: Final = "tests"
E = TypeVar("E")

COMPLETE: Final[dict[str, Any]] = {
    "description": "Kemeja batik parang, katun primisima, jahitan rapi.",
    "dimensions": Dimensions(weight_kg=Decimal("0.3")),
    "category": "Kemeja",
    "images": (Image("https://images.example/1.jpg", primary=True),),
}
"""What a platform asks of every item."""


def sizes(*names: str, code: str = "BTK") -> tuple[Variant, ...]:
    return tuple(Variant(sku=f"{code}-{name}", options=(Option("Ukuran", name),)) for name in names)


class Ahead:
    """Real time, moved on by what a test asks for."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def wait(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


class Weighing(PostgresEventStore):
    """Counts the events that it hands out."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.handed_out = 0

    async def read_streams(
        self, org_id: str, streams: Sequence[str], *, after: Mapping[str, int] | None = None
    ) -> Mapping[str, Sequence[RecordedEvent]]:
        found = await super().read_streams(org_id, streams, after=after)
        self.handed_out += sum(map(len, found.values()))
        return found


class Stage:
    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.clock = Ahead()
        self.identities = TimeSortedIdentities()
        self.store = PostgresEventStore(pool)
        self.products = Products(self.store, self.identities)
        self.stock = Stock(self.store, self.identities, self.products)
        self.listings = Listings(self.store, self.identities)
        self.connections = Connections(self.store, self.identities)
        self.shop = InMemoryShop(self.clock.now)
        self.connector: Connector = InMemoryConnector(self.shop)
        self.desired = self.deriving(self.listings)
        self.queue = QueuePushes((topics.LISTING, topics.CONNECTION))
        self.pusher = Pusher(self.listings, Products(self.store, self.identities), self.clock, lambda: 0.0)
        self._told: str | None = None

    def context(self, actor: str = "user:rina", org_id: str = ORG) -> CommandContext:
        return CommandContext(
            org_id=org_id, actor=actor, now=self.clock.now(), correlation_id=self.identities.new(), causation_id=None
        )

    def deriving(self, listings: Listings) -> DeriveDesired:
        derived_from = (topics.PRODUCT, topics.STOCK, topics.CONNECTION)
        return DeriveDesired(derived_from, self.store, self.pool, listings, self.clock, price_bounds(), images_max())

    # -- what people do

    async def connect(
        self,
        connection_id: str = "SHP",
        *,
        shop_id: str | None = None,
        org_id: str = ORG,
        policy: ConflictPolicy = DEFAULT_POLICY,
        **more: Any,
    ) -> None:
        command = OpenConnection(
            connection_id=connection_id,
            platform=more.pop("platform", Platform.SHOPEE),
            shop_id=shop_id or f"shop-of-{connection_id}",
            label="Toko",
            conflict_policy=policy,
            categories=more.pop("categories", (("", "100011"),)),
            **more,
        )
        await self.connections.handle(self.context(org_id=org_id), connection_id, command)

    async def create(self, product: str = "p1", sku: str = "BTK", *, org_id: str = ORG, **more: Any) -> None:
        fields = COMPLETE | {"name": "Kemeja Batik Parang", "base_price": 199_000} | more
        command = CreateProduct(product_id=product, sku=sku, **fields)
        await self.products.handle(self.context(org_id=org_id), product, command)

    async def change(self, product: str = "p1", actor: str = "user:rina", **fields: Any) -> None:
        await self.command(ChangeProduct(**fields), product, actor)

    async def command(self, command: ProductCommand, product: str = "p1", actor: str = "user:rina") -> None:
        await self.products.handle(self.context(actor), product, command)

    async def receive(self, sku: str, quantity: int, warehouse: str = "JKT") -> None:
        await self.stock.receive(self.context(), sku, warehouse, quantity)

    async def tell(self, command: ListingCommand, product: str = "p1", connection: str = "SHP") -> None:
        await self.listings.handle(self.context(), listing_id(connection, product), command)

    async def listed(self, *, variants: tuple[Variant, ...] = (), stock: int = 4, **more: Any) -> str:
        """A connected shop that shows one product; the item's id there."""
        await self.connect(**more)
        await self.create(variants=variants)
        for sku in [variant.sku for variant in variants] or ["BTK"]:
            await self.receive(sku, stock)
        await self.settle()
        (item,) = self.shop.listings
        self.shop.calls.clear()
        return item

    # -- what runs by itself

    async def deliver(self) -> None:
        """All that was stored since the last time, to both consumers, until nothing new comes of it."""
        while fresh := await self.stored():
            for effect in (self.desired, self.queue):
                await self.hand(effect, fresh)

    async def stored(self) -> list[RecordedEvent]:
        """Events since the last look."""
        events: list[RecordedEvent] = []
        async for batch in self.store.read_all(after=self._told):
            events += batch.events
            self._told = batch.token
        return events

    async def hand(self, effect: Effect, events: Sequence[RecordedEvent]) -> None:
        """As the consumer does it: what is on its topics, in one transaction."""
        wanted = [event for event in events if f"syncstore.{category_of(event.stream_id)}" in effect.topics]
        if wanted:
            async with self.pool.connection() as connection, connection.transaction():
                await effect.apply(connection, wanted)

    async def queued(self, connection_id: str = "SHP", org_id: str = ORG) -> list[Due]:
        """Whatever waits, due or not."""
        async with self.pool.connection() as connection:
            return await push_queue.due(
                connection,
                org_id=org_id,
                connection_id=connection_id,
                now=self.clock.now() + timedelta(days=400),
                under_way=(),
                limit=1000,
            )

    async def due(self, connection_id: str = "SHP") -> list[Due]:
        async with self.pool.connection() as connection:
            return await push_queue.due(
                connection,
                org_id=ORG,
                connection_id=connection_id,
                now=self.clock.now(),
                under_way=(),
                limit=1000,
            )

    async def turn(self, product: str = "p1") -> Turn:
        """One turn of a listing whose row is due; the row stays as it is."""
        (item,) = [row for row in await self.due() if row.product_id == product]
        _, shop = await self.connections.get(ORG, "SHP")
        return await self.pusher.take_turn(self.connector, shop, ORG, item)

    async def push(self) -> None:
        """The lane of SHP runs until it can do nothing more now."""
        lane = await self.lane()
        runner = self.runner(lane)
        running = asyncio.create_task(runner.run())
        try:
            await until(self._rests)
            await runner.close()
        finally:
            await end([running])

    async def settle(self) -> None:
        """Until neither consumers nor the lane have anything to do now."""
        while True:
            await self.deliver()
            if await self._rests():
                return
            await self.push()

    async def _rests(self) -> bool:
        lane = await self.lane()
        paused = lane.paused_until is not None and lane.paused_until > self.clock.now()
        _, shop = await self.connections.get(ORG, "SHP")
        return paused or shop.paused is not None or not await self.due()

    def runner(self, lane: Lane) -> LaneRunner:
        return LaneRunner(
            lane, self.connector, self.pool, self.pusher, self.connections, self.clock, 4, self.queue.woken
        )

    async def lane(self, connection_id: str = "SHP") -> Lane:
        while True:
            async with self.pool.connection() as connection:
                mine = await lanes.claim(connection, owner=ME, limit=10)
            for lane in mine:
                if lane.connection_id == connection_id:
                    return lane
            await asyncio.sleep(0.01)  # a watch is writing to its row, which a claim passes over

    async def watch(self) -> Watch:
        lane = await self.lane()
        runner = self.runner(lane)
        return Watch(
            lane,
            ME,
            self.connector,
            runner.connection,
            self.pool,
            self.listings,
            self.clock,
            self.identities,
            poll_every=timedelta(minutes=2),
            scan_every=timedelta(hours=6),
        )

    # -- what is to be seen

    async def listing(self, product: str = "p1", connection: str = "SHP") -> Listing:
        return (await self.listings.get(ORG, listing_id(connection, product)))[1]

    async def connection(self, connection_id: str = "SHP") -> Connection:
        return (await self.connections.get(ORG, connection_id))[1]

    async def told(self, kind: type[E], product: str = "p1", connection: str = "SHP") -> list[E]:
        """A listing's events of one type."""
        recorded = await self.store.read_stream(ORG, stream_id("listing", listing_id(connection, product)))
        decoded = [wire.decode(event.type, event.schema, event.data) for event in recorded]
        return [event for event in decoded if isinstance(event, kind)]

    async def targets(self, product: str = "p1", connection: str = "SHP") -> dict[str, object]:
        """What the shop shall show, offer and stock alone."""
        listing = await self.listing(product, connection)
        offer = (FieldGroup.OFFER.value, "price:", "stock:")
        return {name: field.target for name, field in listing.fields.items() if name.startswith(offer)}
