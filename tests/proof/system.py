"""The real system on this machine: PostgreSQL, Kafka, every part as a process, the simulated shop."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from infrastructure.http import HttpClient
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.offsets import load_offsets
from infrastructure.kafka.replay import Replay
from infrastructure.kafka.topics import CONNECTION, LISTING, PRODUCT, STOCK, TOPICS
from infrastructure.local_stack.stack import LocalStack
from infrastructure.local_stack.stack import Part as Server
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from infrastructure.security.local_key import local_key
from infrastructure.settings import Settings
from projections.fill import Source
from projections.registry import VIEWS
from projections.runner import LIVE
from services.consumers.desired import DeriveDesired
from services.consumers.product_state import PublishProductState
from services.consumers.push_queue import QueuePushes
from services.demo.processes import Links, links_of, until_it_answers
from services.demo.seller import connect_shop, new_key
from services.servers import environment_of, kafka_of
from services.supervisor import Part, Supervisor
from services.together import parts, prepare
from tests.plugins.local_stack import JARS, dispose, owned_folder

PATIENCE: Final = 180.0
CLOCK: Final = Path(__file__).parent / "clock"
"""Where every process finds a `sitecustomize` that makes its clock wrong."""

CONSUMERS: Final = {
    LIVE: TOPICS,
    DeriveDesired.name: (PRODUCT, STOCK, CONNECTION),
    PublishProductState.name: (PRODUCT,),
    QueuePushes.name: (LISTING, CONNECTION),
}
"""Whose offsets must have passed everything."""

SETTLED: Final = """
select (select count(*) from outbox) = 0
    and (select count(*) from push_queue) = 0
    and (select count(*) from events where stream_id not like 'connection-%%')
        = (select count(*) from projections.history)
    and not exists (select from projections.listing_status where behind > 0),
    (select count(*) from events)
"""


class NotSettled(AssertionError):
    """Something never came to rest; the message says what."""


@dataclass
class System:
    settings: Settings
    stack: LocalStack
    links: Links
    supervisor: Supervisor
    pool: Pool
    """As the worker role."""
    api: httpx.AsyncClient
    shop: httpx.AsyncClient
    log: Path

    @property
    def url(self) -> str:
        assert self.settings.database_url is not None
        return self.settings.database_url

    @property
    def kafka(self) -> KafkaSettings:
        return kafka_of(self.settings)

    @property
    def environment(self) -> dict[str, str]:
        """Of every process."""
        return _environment(self.settings, self.links)

    @property
    def clock(self) -> Path:
        """Says by how many seconds the clock of every process is wrong."""
        return _clock(self.settings)

    @property
    def source(self) -> Source:
        return Source(self.url, WORKER)

    def pids(self, part: str) -> list[int]:
        """Of all processes of a part: "relay" and "relay-2"."""
        return [pid for name, pid in self.supervisor.pids.items() if name == part or name.startswith(f"{part}-")]

    def kill(self, part: str, number: int = 0) -> None:
        os.kill(self.pids(part)[number], signal.SIGKILL)

    @contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def row(self, statement: str, *values: Any) -> tuple[Any, ...]:
        """Asked again while the database is away."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(psycopg.OperationalError, OSError):
                    async with self.pool.connection() as connection:
                        cursor = await connection.execute(statement, values)
                        row: tuple[Any, ...] | None = await cursor.fetchone()
                        assert row is not None
                        return row
                await asyncio.sleep(0.1)

    async def as_owner(self, statement: str) -> tuple[Any, ...]:
        """What the worker role may not ask."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            row = await (await connection.execute(statement)).fetchone()
            assert row is not None
            return row

    async def published(self) -> int:
        """How many records the topics of events hold."""
        async with Replay(self.kafka, TOPICS) as replay:
            begins, ends = await replay.begins(), await replay.ends()
            return sum(ends.values()) - sum(begins.values())

    async def settled(self, tell: Callable[[int], None] = lambda _: None) -> tuple[float, int]:
        """Waits until nothing moves any more; answers how many seconds that took and how many events there are.

        `tell` is told meanwhile how many records consumers have not passed.
        """
        started = moved_at = time.monotonic()
        before: tuple[int, int] | None = None
        while True:
            rest, events = await self.row(SETTLED)
            try:
                lag = await self._lag()
            except (psycopg.OperationalError, KafkaError, OSError):
                lag = -1
            if rest and (lag, events) == before == (0, events):
                return time.monotonic() - started, events
            if (lag, events) != before:
                tell(lag)
                moved_at = time.monotonic()
            if time.monotonic() - moved_at > PATIENCE:
                raise NotSettled(await self._what_moves())
            before = (lag, events)
            await asyncio.sleep(0.2)

    async def _lag(self) -> int:
        """Records that consumers have not passed, all of them together."""
        async with Replay(self.kafka, TOPICS) as replay:
            ends = await replay.ends()
        async with self.pool.connection() as connection:
            reached = {name: await load_offsets(connection, name) for name in CONSUMERS}
        return sum(
            max(end - reached[name].get(partition, 0), 0)
            for name, topics in CONSUMERS.items()
            for partition, end in ends.items()
            if partition.topic in topics
        )

    async def repeated(self) -> int:
        """Records of events that the topics hold more than once, told in a moment in which nothing moves."""
        state = "select count(*), (select count(*) from outbox) from events"
        for _ in range(100):
            before = await self.row(state)
            records = await self.published()
            events, waiting = await self.row(state)
            if before == (events, 0) and not waiting:
                break
            await asyncio.sleep(0.1)
        return records - int(events)

    async def _what_moves(self) -> str:
        row = await self.row(
            "select (select count(*) from outbox), (select count(*) from outbox_parked), "
            "(select count(*) from push_queue), (select count(*) from consumer_parked), "
            "(select count(*) from events where stream_id not like 'connection-%%') "
            "- (select count(*) from projections.history), "
            "(select count(*) from projections.listing_status where behind > 0)"
        )
        names = (
            "in the outbox",
            "parked by the relay",
            "pushes waiting",
            "parked by consumers",
            "not in views",
            "behind",
        )
        told = ", ".join(f"{count} {name}" for count, name in zip(row, names, strict=True))
        return f"not at rest after {PATIENCE:g} s: {told}; what the parts say: {self.log}"


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = PATIENCE, what: str = "") -> float:
    """How long it took."""
    started = time.monotonic()
    while not await holds():
        if time.monotonic() - started > seconds:
            raise NotSettled(f"waited {seconds:g} s in vain {what}".rstrip())
        await asyncio.sleep(0.05)
    return time.monotonic() - started


@asynccontextmanager
async def running(say: Callable[[str], None], *, relays: int = 2) -> AsyncIterator[System]:
    """Everything up, the shop connected, the catalogue empty."""
    folder = owned_folder()
    stack = LocalStack(folder, jars=JARS)
    stop = asyncio.Event()
    supervising: asyncio.Task[None] | None = None
    try:
        address = await asyncio.to_thread(stack.up)
        settings = replace(
            Settings(),
            local_folder=str(folder),
            database_url=address.database_url,
            kafka_bootstrap=address.kafka_bootstrap,
            encryption_keys=local_key(folder),
            pictures="drawn",
        )
        await prepare(settings, say)
        links = links_of(settings, say)
        settings = replace(settings, api_port=int(links.api.rpartition(":")[2]), public_url=links.api)
        log = folder / "parts.log"
        with log.open("w", encoding="utf-8") as lines:

            def write(part: str, line: str) -> None:
                lines.write(f"{part:<8}| {line}\n")
                lines.flush()

            supervisor = Supervisor(_parts(links, folder, relays), _environment(settings, links), write)
            supervising = asyncio.create_task(supervisor.run(stop))
            key = await new_key(settings)
            async with (
                HttpClient(
                    base_url=links.api,
                    headers={"Authorization": f"Bearer {key}"},
                    timeout=20,
                    limits=httpx.Limits(max_connections=64),
                ) as api,
                HttpClient(base_url=links.simulator, timeout=30) as shop,
                open_pool(address.database_url, role=WORKER, name="proof", max_size=4, patience=30) as pool,
            ):
                await until_it_answers(api, "/health/ready")
                await until_it_answers(shop, "/_simulator/state")
                await connect_shop(settings, links, say)
                system = System(settings, stack, links, supervisor, pool, api, shop, log)

                async def has_views() -> bool:
                    (live,) = await system.row("select count(*) from projection_generations where state = 'live'")
                    return bool(live == len(VIEWS))

                await until(has_views, what="for the views to be built")
                yield system
            stop.set()
            await supervising
    finally:
        stop.set()
        if supervising is not None:
            await asyncio.gather(supervising, return_exceptions=True)
        await asyncio.to_thread(dispose, folder)


def _parts(links: Links, folder: Path, relays: int) -> list[Part]:
    port = links.simulator.rpartition(":")[2]
    callback = f"{links.api}/api/webhooks/shopee"
    snapshot = str(folder / "shopee.json")
    shop = Part("shopee", ("simulate", "shopee", "--port", port, "--callback-url", callback, "--snapshot", snapshot))
    more = [Part(f"relay-{number}", ("relay",)) for number in range(2, relays + 1)]
    return [shop, *parts(links.metrics), *more]


def _environment(settings: Settings, links: Links) -> dict[str, str]:
    return {
        **environment_of(settings),
        "SYNCSTORE_LOCAL_FOLDER": settings.local_folder,
        "SYNCSTORE_API_PORT": str(settings.api_port),
        "SYNCSTORE_PUBLIC_URL": links.api,
        "SYNCSTORE_PICTURES": "drawn",
        "SYNCSTORE_PUSH_CONCURRENCY": "8",
        "PYTHONPATH": str(CLOCK),
        "PROOF_CLOCK": str(_clock(settings)),
    }


def _clock(settings: Settings) -> Path:
    return Path(settings.local_folder) / "clock"


async def server_down(system: System, server: Server, number: signal.Signals) -> None:
    """Signal a server of the stack and wait until it is gone."""
    status = system.stack.status()
    pid = (status.postgres if server is Server.POSTGRES else status.kafka).pid
    assert pid is not None
    os.kill(pid, number)

    async def gone() -> bool:
        now = system.stack.status()
        return (now.postgres if server is Server.POSTGRES else now.kafka).pid is None

    await until(gone, 60, f"for {server} to end")
