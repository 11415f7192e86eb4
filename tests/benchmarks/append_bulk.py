"""Many products at once through the event store's bulk path, beside COPY of the same rows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg

from domain import events
from domain.messages import Append, Appended, Claim, NewEvent
from domain.product.events import ProductCreated
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.local_stack.stack import Part as Server
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres.migrate import migrate
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.postgres.statements import load
from services.usecases.imports import CHUNK
from tests.benchmarks import part
from tests.benchmarks.figures import OURS, Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.progress import Progress

ABOUT: Final = f"""
New products, one event and one claimed SKU each: versions and claims are checked, outbox rows written, row-level
security holds (under which PostgreSQL takes no COPY). In one transaction, and with {CHUNK} products to a transaction as
an import has them, which then waits for the disk a hundred times. The control copies the same events, put into COPY's
format before the clock starts, in one transaction into a table of the same columns, defaults and indexes; it checks
nothing but the indexes' uniqueness. The second one copies the rows of streams, claims and outbox as well, each into its
like. These are emptied before each round; the store's own tables grow.
"""
COPY: Final = "COPY of the events"
COPY_ALL: Final = "COPY of events, streams, claims, outbox"
IN_CHUNKS: Final = f"SyncStore, {CHUNK} products to a transaction"
ORG: Final = "toko"
SQL: Final = load(Path(__file__).with_suffix(".sql"))
COLUMNS: Final = {
    "events": "org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at, actor, "
    "correlation_id",
    "streams": "org_id, stream_id, version, previous",
    "claims": "org_id, kind, value, stream_id",
    "outbox": "position, shard",
}
"""What is copied of each table; the rest are defaults, as in an append."""


class Plan(NamedTuple):
    products: int
    rounds: int


PLANS: Final = {Size.SMALL: Plan(1_500, 2), Size.FULL: Plan(30_000, 5)}
_new = TimeSortedIdentities().new


async def measure(size: Size, progress: Progress) -> Part:
    """Bulk appends of new products."""
    plan = PLANS[size]
    found = Part(name="bulk", title="Bulk append", about=ABOUT)
    comparison = Comparison(title=f"{plan.products:,} new products", unit="events/s", control=COPY)
    found.comparisons = [comparison]
    progress.steps = plan.rounds + 1
    with servers(Server.POSTGRES) as address:
        url = address.database_url
        await migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(SQL["create_likes"])
            async with open_pool(url, role=APP, name="bench", min_size=1) as pool:
                store = PostgresEventStore(pool)
                progress.step("warm-up")
                await append(store, products(CHUNK), CHUNK)
                for number in range(plan.rounds):
                    progress.step(f"round {number + 1} of {plan.rounds}")
                    appends = products(plan.products)
                    for name, tables in ((COPY, ["events"]), (COPY_ALL, list(COLUMNS))):
                        comparison.add(name, plan.products / copy(connection, rows_of(appends), tables))
                    comparison.add(OURS, plan.products / await append(store, appends, plan.products))
                    comparison.add(IN_CHUNKS, plan.products / await append(store, products(plan.products), CHUNK))
    return found


def products(number: int) -> list[Append]:
    return [product(str(_new()), place) for place in range(number)]


def product(identity: str, number: int) -> Append:
    sku = f"SKU-{identity}"
    fact = ProductCreated(
        product_id=identity,
        sku=sku,
        name=f"Kemeja Batik Pria Lengan Panjang Motif Parang {number}",
        base_price=189_000,
        cost_price=95_000,
        category="Fashion Pria",
        tags=("batik", "katun"),
    )
    type_, schema, data = events.encode(fact)
    event = NewEvent(
        event_id=_new(),
        type=type_,
        schema=schema,
        data=data,
        occurred_at=datetime.now(UTC),
        actor="user:rina",
        correlation_id=_new(),
    )
    return Append(
        stream_id=f"product-{identity}",
        partition_key=identity,
        expected_version=0,
        events=(event,),
        claims=(Claim("sku", sku.casefold()),),
    )


async def append(store: PostgresEventStore, appends: Sequence[Append], chunk: int) -> float:
    """Seconds, with so many products to a transaction."""
    began = time.perf_counter()
    for first in range(0, len(appends), chunk):
        outcomes = await store.append_many(ORG, appends[first : first + chunk])
        assert all(isinstance(outcome, Appended) for outcome in outcomes)
    return time.perf_counter() - began


def rows_of(appends: Sequence[Append]) -> dict[str, bytes]:
    """By table, what an append of these writes, in COPY's text format."""
    return {
        "events": _text(
            (
                *(ORG, one.stream_id, version, one.partition_key, event.event_id, event.type, event.schema),
                *(event.data.decode(), event.occurred_at.isoformat(), event.actor, event.correlation_id),
            )
            for one in appends
            for version, event in enumerate(one.events, one.expected_version + 1)
        ),
        "streams": _text((ORG, one.stream_id, len(one.events), 0) for one in appends),
        "claims": _text((ORG, claim.kind, claim.value, one.stream_id) for one in appends for claim in one.claims),
        "outbox": _text((number, shard_of(one.partition_key)) for number, one in enumerate(appends, 1)),
    }


def copy(connection: psycopg.Connection[Any], rows: dict[str, bytes], tables: Sequence[str]) -> float:
    """Seconds to have the rows of these tables in their likes, committed."""
    connection.execute(SQL["empty_likes"])
    began = time.perf_counter()
    with connection.transaction(), connection.cursor() as cursor:
        for table in tables:
            with cursor.copy(f"copy {table}_like ({COLUMNS[table]}) from stdin") as into:
                into.write(rows[table])
    return time.perf_counter() - began


def _text(rows: Iterable[tuple[str | int | UUID, ...]]) -> bytes:
    return b"".join("\t".join(str(value).replace("\\", "\\\\") for value in row).encode() + b"\n" for row in rows)


if __name__ == "__main__":
    part.run("bulk", measure)
