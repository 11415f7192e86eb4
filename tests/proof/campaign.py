"""One proof: traffic, faults one after the other, and at the end every question that can be asked."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg
from msgspec import Struct, field

from domain.errors import SyncStoreError
from relay.relay import BATCH
from services.demo.clients import ShopSimulator
from services.demo.story import shop_price
from services.verification.findings import Kind, Report
from services.verification.verify import verify
from tests.proof.faults.fault import Fault
from tests.proof.journal import Journal, judge, look_up
from tests.proof.system import PATIENCE, NotSettled, System
from tests.proof.traffic import WRITERS, Traffic

Say = Callable[[str], None]
BULK: Final = 100
"""Products per bulk append while faults strike, about two appends a second."""
LAST_BULK: Final = 5_000
"""The same afterwards, until there are as many events as were asked for."""
CUT_SHORT: Final = ("kafka_not_taking_events", "relay_lost_shards", "database_not_answering")
SETTLING: Final = 1.0
"""Seconds of undisturbed traffic before and after each fault."""


class Struck(Struct, frozen=True, kw_only=True):
    fault: str
    measured: str
    recovered_seconds: float
    """From the end of the fault until everything that had been written by then was published, shown and pushed."""
    interruptions: int
    """Passes that relays themselves tell to have been cut short: a slow machine does that, too."""
    repeated: int
    allowed: int
    acknowledged: int
    """Commands that were answered with success while it lasted."""


class Proof(Struct, kw_only=True):
    seed: int
    products: int
    writers: int
    struck: list[Struck] = field(default_factory=list)
    events: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    report: Report | None = None
    impossible: list[str] = field(default_factory=list)
    """Faults that this machine does not allow, and why."""
    wrong: list[str] = field(default_factory=list)
    """Everything that does not hold; empty for a proof."""


async def prove(
    system: System, faults: Sequence[Fault], say: Say, *, products: int, events: int, pace: float, seed: int
) -> Proof:
    """Until all faults have struck and the store holds `events`."""
    started = time.monotonic()
    proof = Proof(seed=seed, products=products, writers=WRITERS)
    journal = Journal()
    traffic = Traffic(system, journal, pace, random.Random(seed), bulk=BULK)
    await traffic.open_catalogue(products)
    await system.settled()
    say(f"catalogue    {products} products at the shop after {time.monotonic() - started:.0f} s")
    planted = 0
    async with traffic.flowing():
        repeated = 0
        for number, fault in enumerate(faults, 1):
            if why := fault.impossible():
                proof.impossible.append(f"{fault.name}: {why}")
                say(f"{number:>3}/{len(faults)} {fault.name}: not here, {why}")
                continue
            struck = await _strike(system, traffic, fault, repeated, proof.wrong)
            repeated += struck.repeated + fault.planted
            planted += fault.planted
            proof.struck.append(struck)
            if struck.repeated > struck.allowed:
                proof.wrong.append(f"{fault.name}: {struck.repeated} records repeated, at most {struck.allowed} may be")
            (stored,) = await system.row("select count(*) from events")
            spent = time.monotonic() - started
            eta = spent / number * (len(faults) - number)
            say(
                f"{number:>3}/{len(faults)} {fault.name}: {struck.measured}; at rest after "
                f"{struck.recovered_seconds:.1f} s, {struck.repeated} repeated; {stored:,} events, "
                f"about {eta:.0f} s left"
            )
        traffic.bulk = LAST_BULK
        await _until_there_are(system, events, say)
        await traffic.paused()
        _, proof.events = await system.settled(lambda lag: say(f"\rrest         {lag:,} records to pass"))
    say("questions    every promise, every record, every row, every item at the shop")
    await _ask(system, traffic, proof, planted)
    proof.acknowledged, proof.counts = len(journal.acknowledged), dict(journal.counts)
    proof.seconds = time.monotonic() - started
    return proof


async def _strike(system: System, traffic: Traffic, fault: Fault, repeated_before: int, wrong: list[str]) -> Struck:
    before = len(traffic.journal.acknowledged)
    logged = system.log.stat().st_size
    traffic.resume()
    await asyncio.sleep(SETTLING)
    try:
        measured = await fault.strike(system, traffic)
    except (AssertionError, TimeoutError, OSError, SyncStoreError, psycopg.Error) as error:
        measured = f"could not be ended: {type(error).__name__}: {error}"
        wrong.append(f"{fault.name} {measured}")
    await asyncio.sleep(SETTLING)
    await traffic.paused()
    try:
        seconds, _ = await system.settled()
    except NotSettled as error:
        seconds = PATIENCE
        wrong.append(f"{fault.name}: {error}")
    repeated = await system.repeated() - repeated_before - fault.planted
    interruptions = _interruptions(system, logged)
    traffic.resume()
    return Struck(
        fault=fault.name,
        measured=measured,
        interruptions=interruptions,
        recovered_seconds=round(seconds, 1),
        repeated=repeated,
        allowed=(fault.passes + 2 * interruptions) * BATCH,
        acknowledged=len(traffic.journal.acknowledged) - before,
    )


def _interruptions(system: System, since: int) -> int:
    with system.log.open(encoding="utf-8", errors="replace") as log:
        log.seek(since)
        return sum(line.startswith("relay") and any(told in line for told in CUT_SHORT) for line in log)


async def _until_there_are(system: System, events: int, say: Say) -> None:
    begun, (first,) = time.monotonic(), await system.row("select count(*) from events")
    while True:
        (stored,) = await system.row("select count(*) from events")
        if stored >= events:
            return
        rate = (stored - first) / max(time.monotonic() - begun, 0.1)
        if rate:
            say(f"\rtraffic      {stored:,} of {events:,} events, {rate:,.0f}/s, {(events - stored) / rate:.0f} s left")
        await asyncio.sleep(1)


async def _ask(system: System, traffic: Traffic, proof: Proof, planted: int) -> None:
    journal = traffic.journal
    proof.wrong += journal.broken
    async with await psycopg.AsyncConnection.connect(system.url, autocommit=True) as connection:
        proof.wrong += judge(await look_up(connection, journal.acknowledged))
        proof.wrong += await _shop_against_catalogue(system, connection)
    report = proof.report = await verify(system.source, system.kafka)
    violations = report.violations
    if violations.pop(Kind.UNREADABLE, 0) != planted:
        proof.wrong.append(f"records that are none: {report.violations[Kind.UNREADABLE]}, planted {planted}")
    if violations:
        proof.wrong += [str(example) for check in report.checks for example in check.examples]


async def _shop_against_catalogue(system: System, connection: psycopg.AsyncConnection[Any]) -> list[str]:
    """The simulated shop itself, item by item, and what the events say that it should show."""
    items = await ShopSimulator(system.shop).items()
    wanted = await _wanted(connection)
    wrong = [f"the shop has {len(items)} items, there are {len(wanted)} products"] if len(items) != len(wanted) else []
    for sku, (price, stock) in wanted.items():
        shown = [(model["price"], model["stock"]) for model in items.get(sku, {"models": []})["models"]]
        if shown != [(shop_price(price), stock)]:
            wrong.append(f"the shop shows {shown} of {sku}, it should show {(shop_price(price), stock)}")
    return wrong


async def _wanted(connection: psycopg.AsyncConnection[Any]) -> dict[str, tuple[int, int]]:
    """SKU -> base price and pieces, straight from the events."""
    cursor = await connection.execute(
        """
        with prices as (
            select distinct on (stream_id) stream_id, (data ->> 'new')::bigint as price
            from events
            where org_id = 'toko-nusantara' and type = 'product.base-price-changed'
            order by stream_id, version desc
        ), stock as (
            select partition_key, count(*) as pieces
            from events
            where org_id = 'toko-nusantara' and type = 'stock.received'
            group by partition_key
        )
        select c.data ->> 'sku', coalesce(p.price, (c.data ->> 'base_price')::bigint), coalesce(s.pieces, 0)
        from events c
        left join prices p using (stream_id)
        left join stock s using (partition_key)
        where c.org_id = 'toko-nusantara' and c.type = 'product.created'
        """
    )
    return {sku: (price, stock) for sku, price, stock in await cursor.fetchall()}
