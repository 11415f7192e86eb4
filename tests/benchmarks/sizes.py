"""What one more event costs when there are already many products: to append, to relay, to have in every view."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from hashlib import md5
from typing import Final, LiteralString, NamedTuple
from uuid import UUID, uuid4

import psycopg

from domain.messages import Append, Appended, Idempotency
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import create_or_check
from infrastructure.postgres.pool import APP, WORKER, Pool, open_pool
from projections.fill import Source
from projections.rebuild import build_missing
from projections.registry import VIEWS
from projections.runner import Projections
from tests.benchmarks import part
from tests.benchmarks.append_load import FINGERPRINT, ORG, RESPONSE, event
from tests.benchmarks.figures import LOWER, Comparison, Part
from tests.benchmarks.ground import last_position, load_products, recorded
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress
from tests.benchmarks.relay_load import scratch_database
from tests.benchmarks.relay_turns import drain

EVENTS_EACH: Final = 3
CALLERS: Final = 8
BATCH: Final = 500
ABOUT: Final = f"""
Stores that already hold so many products, {EVENTS_EACH} events each, all of them in every view. Each round changes the
prices of as many products, chosen at random, in every store: {CALLERS} callers append, one relay takes the events to
Kafka, and the live projection applies them to all views, {BATCH} to a transaction (from memory: how Kafka is read does
not depend on the size). The control is the smallest store of the same run; what grows with the size is above 1.
Where products are many, each event changes pages of its own: pages that PostgreSQL's shared memory has no room for are
read, and the first change of a page since the last checkpoint writes all of it to the log. Both are measured beside the
time, for all three together.
"""
BLOCKS_READ: Final = "select blks_read from pg_stat_database where datname = current_database()"
LOG_WRITTEN: Final = "select pg_current_wal_insert_lsn() - '0/0'"


class Plan(NamedTuple):
    products: tuple[int, ...]
    events: int
    """In a round; at most as many as the smallest store has products."""
    rounds: int


PLANS: Final = {
    Size.SMALL: Plan((1_000, 4_000), 500, 2),
    Size.FULL: Plan((1_000, 100_000), 1_000, 15),
    Size.LARGE: Plan((1_000, 100_000, 1_000_000), 1_000, 15),
}


class Cost(NamedTuple):
    """For each event: microseconds, and bytes of PostgreSQL's log."""

    append: float
    relay: float
    live: float
    log: int


async def measure(size: Size, progress: Progress) -> Part:
    """One more event in small and in large stores."""
    plan = PLANS[size]
    found = Part(name="sizes", title="Cost of an event by the size of the store", about=ABOUT)
    if size is not Size.LARGE:
        found.notes.append("a million products; SIZE=large measures it")
    control = _name(plan.products[0])
    measured = {
        "append": "µs/event",
        "relay": "µs/event",
        "live projection, all views": "µs/event",
        "log": "bytes/event",
    }
    found.comparisons = [
        Comparison(title=title, unit=unit, control=control, better=LOWER) for title, unit in measured.items()
    ]
    progress.steps = len(plan.products) + plan.rounds + 1
    with servers() as address:
        kafka = KafkaSettings(bootstrap=address.kafka_bootstrap)
        await create_or_check(kafka)
        async with AsyncExitStack() as stack:
            stores = []
            for products in plan.products:
                progress.step(f"{products:,} products into a store and its views")
                url, pool = await stack.enter_async_context(scratch_database(address.database_url))
                await asyncio.to_thread(load_products, url, products, events=EVENTS_EACH)
                await build_missing(VIEWS, Source(url, WORKER), pool, kafka)
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("vacuum analyze")
                app = await stack.enter_async_context(open_pool(url, role=APP, name="bench", min_size=2))
                stores.append(Store(url, products, app, pool, kafka))
            progress.step("warm-up")
            for store in stores:
                await store.cost(plan.events)
            before = [await store.ask(BLOCKS_READ) for store in stores]
            for number in range(plan.rounds):
                progress.step(f"round {number + 1} of {plan.rounds}")
                for store in stores:
                    for comparison, value in zip(found.comparisons, await store.cost(plan.events), strict=True):
                        comparison.add(_name(store.products), value)
            for store, blocks in zip(stores, before, strict=True):
                read = (await store.ask(BLOCKS_READ) - blocks) / plan.rounds / plan.events
                found.facts[f"{_name(store.products)}: blocks of 8 KiB read for an event"] = round(read, 1)
    return found


class Store:
    def __init__(self, url: str, products: int, app: Pool, worker: Pool, kafka: KafkaSettings) -> None:
        self.products = products
        self._url, self._worker, self._kafka = url, worker, kafka
        self._events = PostgresEventStore(app)
        self._versions: Counter[str] = Counter()
        """How many events products have got here, by id."""
        self._random = random.Random(7)

    async def cost(self, events: int) -> Cost:
        appends = [self._change(number) for number in self._random.sample(range(1, self.products + 1), events)]
        before, log = await last_position(self._worker), await self.ask(LOG_WRITTEN)
        appending = await self._append(appends)
        relaying = await drain(self._worker, self._kafka, events)
        showing = await self._show(before, events)
        appended, relayed, shown = (seconds / events * 1e6 for seconds in (appending, relaying, showing))
        return Cost(appended, relayed, shown, (await self.ask(LOG_WRITTEN) - log) // events)

    async def ask(self, query: LiteralString) -> int:
        async with self._worker.connection() as connection:
            found = await (await connection.execute(query)).fetchone()
        assert found is not None
        return int(found[0])

    def _change(self, number: int) -> Append:
        product = str(UUID(md5(str(number).encode(), usedforsecurity=False).hexdigest()))
        version = EVENTS_EACH + self._versions[product]
        self._versions[product] += 1
        return Append(
            stream_id=f"product-{product}",
            partition_key=product,
            expected_version=version,
            events=(event(),),
            idempotency=Idempotency(key=uuid4().hex, fingerprint=FINGERPRINT, response=RESPONSE),
        )

    async def _append(self, appends: Iterable[Append]) -> float:
        waiting = iter(appends)

        async def call() -> None:
            for append in waiting:
                assert isinstance(await self._events.append(ORG, append), Appended)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(call())
        return time.perf_counter() - began

    async def _show(self, after: int, events: int) -> float:
        """Seconds for all views to have what came behind that position."""
        facts = recorded(self._url, after=after)
        assert len(facts) == events
        projections = Projections(VIEWS)
        began = time.perf_counter()
        for first in range(0, events, BATCH):
            async with self._worker.connection() as connection, connection.transaction():
                await projections.apply(connection, facts[first : first + BATCH])
        return time.perf_counter() - began


def _name(products: int) -> str:
    return f"{products:,} products"


if __name__ == "__main__":
    part.run("sizes", measure, knows_large=True)
