"""Appends per second and their latency, ours beside bare SQL and pyeventsourcing, in alternating rounds."""

from __future__ import annotations

import gc
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, NamedTuple

import psycopg

from infrastructure.local_stack.stack import Part as Server
from infrastructure.postgres.migrate import migrate
from tests.benchmarks import append_load, part, processors
from tests.benchmarks.append_load import BARE, Measure
from tests.benchmarks.figures import LOWER, OURS, Comparison, Part
from tests.benchmarks.part import Size, servers
from tests.benchmarks.peers.installed import missing, versions
from tests.benchmarks.progress import Progress

ABOUT: Final = """
Closed loop: each caller sends its next command when the last is answered. Ours goes through the event store as a
service uses it. The control is bare SQL: a connection for each caller, one function that stores the same rows
(idempotency key, version-checked stream, one event, one outbox row) and does nothing else, without row-level security.
pyeventsourcing runs in threads, with its PostgreSQL recorder as it comes, and with its opt-in functions, which do
without the lock that keeps readers from overlooking events; it stores the same payload, but neither idempotency key nor
outbox row. Processor time is of PostgreSQL and of the callers' process: what an append takes of both, divided by the
processors there are, is the least time it can take here.
"""
BARE_SQL: Final = "bare SQL"
PEER: Final = "pyeventsourcing"
WARM_UP: Final = 0.5


class Plan(NamedTuple):
    callers: tuple[int, ...]
    seconds: float
    rounds: int


PLANS: Final = {Size.SMALL: Plan((1, 8), 0.3, 2), Size.FULL: Plan((1, 8, 32, 128), 2.0, 5)}


def contenders(url: str, callers: int) -> dict[str, AbstractAsyncContextManager[Measure]]:
    found: dict[str, AbstractAsyncContextManager[Measure]] = {
        OURS: append_load.ours(url, callers),
        BARE_SQL: append_load.bare(url, callers),
    }
    if "eventsourcing" in versions():
        found[PEER] = append_load.peers(url, callers, db_functions=False)
        found[f"{PEER}, db functions"] = append_load.peers(url, callers, db_functions=True)
    return found


async def measure(size: Size, progress: Progress) -> Part:
    """Appends by 1 to 128 callers."""
    plan = PLANS[size]
    found = Part(name="append", title="Append", about=ABOUT)
    found.notes += [note for note in missing() if note.startswith("eventsourcing")]
    progress.steps = len(plan.callers) * (plan.rounds + 1)
    with servers(Server.POSTGRES) as address:
        url = address.database_url
        await migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(BARE["create_bare_append"])
        for callers in plan.callers:
            found.comparisons += await compare(url, callers, plan, progress)
    return found


async def compare(url: str, callers: int, plan: Plan, progress: Progress) -> list[Comparison]:
    """Taken in turns, so that a disturbance of the machine meets all."""
    who = "1 caller" if callers == 1 else f"{callers} callers"
    throughput = Comparison(title=f"throughput, {who}", unit="appends/s", control=BARE_SQL)
    middle = Comparison(title=f"latency p50, {who}", unit="ms", control=BARE_SQL, better=LOWER)
    slowest = Comparison(title=f"latency p99, {who}", unit="ms", control=BARE_SQL, better=LOWER)
    cost = Comparison(title=f"processor time of an append, {who}", unit="µs", control=BARE_SQL, better=LOWER)
    async with AsyncExitStack() as stack:
        ways = {name: await stack.enter_async_context(way) for name, way in contenders(url, callers).items()}
        progress.step(f"{who}, warm-up")
        for measured in ways.values():
            await measured(min(WARM_UP, plan.seconds))  # prepares the statements, fills the caches
        gc.collect()
        gc.freeze()  # as the API does: what a contender has imported is not looked through in the turns of others
        for number in range(plan.rounds):
            progress.step(f"{who}, round {number + 1} of {plan.rounds}")
            for name, measured in ways.items():
                with processors.measured("callers") as spent:
                    figures = await measured(plan.seconds)
                cost.add(name, sum(spent.values()) / (figures.per_second * plan.seconds) * 1e6)
                throughput.add(name, figures.per_second)
                middle.add(name, figures.p50_ms)
                slowest.add(name, figures.p99_ms)
    return [throughput, middle, slowest, cost]


if __name__ == "__main__":
    part.run("append", measure)
