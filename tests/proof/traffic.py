"""Callers that never give up on a command, and everything else that goes on in a database meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import psycopg

from domain import events
from domain.errors import SyncStoreError
from domain.events import DomainEvent
from domain.messages import Append, Appended, NewEvent
from domain.product.events import ProductCreated, ProductRenamed
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.pool import APP, open_pool
from tests.proof.journal import Acknowledged, Journal
from tests.proof.system import System

WRITERS: Final = 16
HOT: Final = 4
"""Products that get half of all commands."""
GROSIR: Final = "toko-grosir"
"""An organisation without a shop, for bulk and for transactions written by hand."""
ROLLED_BACK: Final = 0.05
REPEATED: Final = 0.05

STORE_BY_HAND: Final = """
with made as (
    insert into events (org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor,
        correlation_id)
    values (%(org)s, %(stream)s, 1, %(key)s, %(id)s, %(type)s, %(schema)s, %(data)s, now(), 'test:hand', %(id)s)
    returning position
), stream as (
    insert into streams (org_id, stream_id, version) values (%(org)s, %(stream)s, 1)
)
insert into outbox (position, shard) select position, %(shard)s from made returning position
"""


@dataclass
class Product:
    id: str
    sku: str
    price: int = 100_000
    """The last one asked for; each is asked for once."""


@dataclass
class Traffic:
    system: System
    journal: Journal
    pace: float
    """Seconds that a writer rests between two commands."""
    chance: random.Random
    products: list[Product] = field(default_factory=list)
    bulk: int = 0
    """Products per bulk append; none when 0."""
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _busy: set[object] = field(default_factory=set)

    async def open_catalogue(self, size: int) -> None:
        """Over HTTP, like everything that follows."""
        tag = uuid.uuid4().hex[:6]
        limit = asyncio.Semaphore(WRITERS)

        async def one(number: int) -> None:
            sku = f"PRF-{tag}-{number}"
            body = {
                "sku": sku,
                "name": f"Kemeja Batik Parang {number} dari katun primisima",
                "description": "Kemeja batik lengan panjang motif parang dari katun primisima yang adem dan rapi.",
                "base_price": 100_000,
                "category": "Batik & Fashion",
                "dimensions": {"weight_kg": "0.3"},
                "images": [{"url": f"https://images.example/{sku}.jpg"}],
            }
            async with limit:
                answer = await self._acknowledged("POST", "/api/v2/products", body, sku)
                self.products.append(Product(answer["id"], sku))
                await self._acknowledged("POST", "/api/v2/stock/receive", _received(sku, f"first of {sku}"), None)

        await asyncio.gather(*(one(number) for number in range(size)))

    @asynccontextmanager
    async def flowing(self, writers: int = WRITERS) -> AsyncIterator[None]:
        """Until the end of the block; whoever has begun a command ends it."""
        self._flowing.set()
        tasks = [asyncio.create_task(self._write()) for _ in range(writers)]
        tasks += [asyncio.create_task(one()) for one in (self._by_hand, self._hold_transactions, self._append_bulk)]
        try:
            yield
        finally:
            self._flowing.set()
            for task in tasks:
                task.cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError):
                raise one

    async def paused(self) -> None:
        """Nobody has a command under way any more."""
        self._flowing.clear()
        while self._busy:
            await asyncio.sleep(0.02)

    def resume(self) -> None:
        self._flowing.set()

    async def store_large(self, size: int) -> str:
        """A product without a shop, of so many bytes, with a second event behind its first; answers its id."""
        async with open_pool(self.system.url, role=APP, name="proof-large", max_size=1) as pool:
            store = PostgresEventStore(pool)
            product = str(uuid.uuid4())
            sku = f"LRG-{product}"
            facts: list[tuple[DomainEvent, str]] = [
                (ProductCreated(product_id=product, sku=sku, name="l", base_price=1, description="x" * size), sku),
                (ProductRenamed(old="l", new=product), product),
            ]
            for version, (fact, value) in enumerate(facts):
                outcome = await store.append(GROSIR, _append(product, version, fact))
                assert isinstance(outcome, Appended)
                self.journal.acknowledged.append(Acknowledged(product, outcome.position, version + 1, value))
        return product

    async def _turn(self, work: Callable[[], Awaitable[None]]) -> None:
        await self._flowing.wait()
        me = object()
        self._busy.add(me)
        try:
            await asyncio.shield(asyncio.ensure_future(self._and_leave(work, me)))
        except asyncio.CancelledError:
            while me in self._busy:
                await asyncio.sleep(0.02)
            raise

    async def _and_leave(self, work: Callable[[], Awaitable[None]], me: object) -> None:
        try:
            await work()
        finally:
            self._busy.discard(me)

    async def _write(self) -> None:
        while True:
            await self._turn(self._command)
            await asyncio.sleep(self.chance.expovariate(1 / self.pace) if self.pace else 0)

    async def _command(self) -> None:
        hot = self.chance.random() < 0.5
        product = self.chance.choice(self.products[:HOT] if hot else self.products)
        path = f"/api/v2/products/{product.id}"
        kind = self.chance.random()
        if kind < 0.6:
            product.price += 1
            price = product.price
            await self._acknowledged("PATCH", path, {"base_price": price}, str(price))
        elif kind < 0.8:
            name = f"Kemeja Batik Parang {uuid.uuid4().hex[:12]} dari katun primisima"
            await self._acknowledged("PATCH", path, {"name": name}, name)
        else:
            reason = uuid.uuid4().hex
            await self._acknowledged("POST", "/api/v2/stock/receive", _received(product.sku, reason), reason)

    async def _acknowledged(self, method: str, path: str, body: dict[str, Any], value: str | None) -> Any:
        """The answer, however often it has to be asked for under one key."""
        key = str(uuid.uuid4())
        answer = await self._ask(method, path, body, key)
        if answer is None:
            return None
        told = answer.json()
        if value is not None:
            self.journal.acknowledged.append(Acknowledged(key, told["position"], told["version"], value))
        if self.chance.random() < REPEATED:
            again = await self._ask(method, path, body, key)
            self.journal.counts["repeated under the same key"] += 1
            if again is not None and again.json() != told:
                self.journal.broken.append(f"{key} was answered {told}, then {again.json()}")
        return told

    async def _ask(self, method: str, path: str, body: dict[str, Any], key: str) -> httpx.Response | None:
        content, headers = json.dumps(body), {"Idempotency-Key": key, "Content-Type": "application/json"}
        counts = self.journal.counts
        while True:
            counts["requests"] += 1
            try:
                answer = await self.system.api.request(method, path, content=content, headers=headers)
            except httpx.TransportError:
                counts["connections that broke"] += 1
            else:
                if answer.status_code < 400:
                    return answer
                if answer.status_code < 500 and answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    self.journal.broken.append(f"{method} {path} was refused: {answer.text[:200]}")
                    return None
                counts["answers that asked to come again"] += 1
            await asyncio.sleep(self.chance.uniform(0.05, 0.3))

    async def _by_hand(self) -> None:
        """Transactions that hold an event and its outbox row for a while; one in twenty commands' worth rolls back."""
        while True:
            await self._turn(self._transaction)
            await asyncio.sleep(max(self.pace, 0.01) / WRITERS / ROLLED_BACK / 2)

    async def _transaction(self) -> None:
        product = str(uuid.uuid4())
        type_, schema, data = events.encode(
            ProductCreated(product_id=product, sku=f"HND-{product}", name="by hand", base_price=1_000)
        )
        values = {
            "org": GROSIR,
            "stream": f"product-{product}",
            "key": product,
            "id": product,
            "type": type_,
            "schema": schema,
            "data": data.decode(),
            "shard": shard_of(product),
        }
        rolls_back = self.chance.random() < 0.5
        with suppress(psycopg.Error, OSError):
            async with await psycopg.AsyncConnection.connect(self.system.url, connect_timeout=2) as connection:
                await connection.execute("set role syncstore_worker")
                row = await (await connection.execute(STORE_BY_HAND, values)).fetchone()
                await asyncio.sleep(self.chance.uniform(0, 0.2))
                if rolls_back:
                    await connection.rollback()
                    self.journal.counts["transactions rolled back"] += 1
                    return
                await connection.commit()
                assert row is not None
                self.journal.acknowledged.append(Acknowledged(product, row[0], 1, f"HND-{product}"))
                self.journal.counts["transactions that committed late"] += 1

    async def _hold_transactions(self) -> None:
        """Somebody else's, which have nothing to do with events and hold everybody's horizon."""
        while True:
            await self._turn(self._hold_one)
            await asyncio.sleep(self.chance.uniform(0, 1))

    async def _hold_one(self) -> None:
        with suppress(psycopg.Error, OSError):
            async with await psycopg.AsyncConnection.connect(self.system.url, connect_timeout=2) as connection:
                await connection.execute("select pg_current_xact_id()")
                await asyncio.sleep(self.chance.uniform(0.2, 2))
                await connection.rollback()
                self.journal.counts["transactions held open elsewhere"] += 1

    async def _append_bulk(self) -> None:
        if not self.bulk:
            return
        async with open_pool(self.system.url, role=APP, name="proof-bulk", max_size=2) as pool:
            store = PostgresEventStore(pool)
            while True:
                await self._turn(lambda: self._bulk(store))
                await asyncio.sleep(self.chance.uniform(0.2, 1))

    async def _bulk(self, store: PostgresEventStore) -> None:
        appends = [_new_product() for _ in range(self.bulk)]
        with suppress(psycopg.Error, OSError, SyncStoreError):
            for append, outcome in zip(appends, await store.append_many(GROSIR, appends), strict=True):
                assert isinstance(outcome, Appended)
                sku = f"BLK-{append.partition_key}"
                promise = Acknowledged(append.stream_id, outcome.position, outcome.version, sku)
                self.journal.acknowledged.append(promise)
            self.journal.counts["bulk appends"] += 1


def _received(sku: str, reason: str) -> dict[str, Any]:
    return {"sku": sku, "warehouse": "JKT", "quantity": 1, "reason": reason}


def _new_product() -> Append:
    product = str(uuid.uuid4())
    fact = ProductCreated(product_id=product, sku=f"BLK-{product}", name="in bulk", base_price=1_000)
    return _append(product, 0, fact)


def _append(product: str, version: int, fact: DomainEvent) -> Append:
    type_, schema, data = events.encode(fact)
    new = NewEvent(
        event_id=uuid.uuid4(),
        type=type_,
        schema=schema,
        data=data,
        occurred_at=datetime.now(UTC),
        actor="test:bulk",
        correlation_id=uuid.uuid4(),
    )
    return Append(stream_id=f"product-{product}", partition_key=product, expected_version=version, events=(new,))
