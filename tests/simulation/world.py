"""What every schedule has: a database, a Kafka, appenders, processes, and somebody who breaks things."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

import psycopg
from msgspec import Struct

from infrastructure.kafka.topics import BY_CATEGORY
from infrastructure.outbox.reader import Pending
from infrastructure.outbox.shards import shard_of
from tests.simulation import consumer_statements, outbox_statements, push_statements, view_statements
from tests.simulation.broker import Broker
from tests.simulation.database import Database, Result, Values
from tests.simulation.outbox_statements import Lease
from tests.simulation.scheduler import Process, Scheduler

ORG: Final = "toko-batik"
STREAMS: Final = ("product-a", "stock-a", "product-b", "stock-c")
TIME: Final = b'"2026-03-01T10:00:00+00:00"'
JUST_WOKEN: Final = 0.1
"""Virtual seconds in which one that was frozen may still end what it had begun."""
PATIENCE: Final = 50.0
"""Virtual seconds in which everything must have drained once all is well."""


class Violation(AssertionError):
    """Something that must never be was seen."""


class Open(Struct):
    """An append that has not ended."""

    name: str
    stream: str
    rows: list[Pending] = []


class World:
    def __init__(self, seed: str) -> None:
        self.loop = Scheduler(seed)
        self.random = self.loop.random
        modules = (outbox_statements, consumer_statements, view_statements, push_statements)
        self.database = Database(self.loop, [table for module in modules for table in module.TABLES])
        self.broker = Broker(self.loop)
        outbox_statements.install(self.database)
        self.pool: Any = self.database.pool()
        """For those who stand outside of all processes."""
        self.processes: list[tuple[Process, asyncio.Task[Any]]] = []
        self.committed: dict[str, list[Pending]] = defaultdict(list)
        """By stream, in order."""
        self.open: dict[str, Open] = {}
        self.refusing: set[bytes] = set()
        """Ids of events that effects refuse."""
        self.saved: dict[str, dict[Any, Any]] | None = None
        """A backup of the database."""
        self.trouble = 0
        """How often something went wrong on purpose."""
        self.database.watch = self._watch
        self.broker.handed_over = self._watch_sending
        if self.chance(0.25):
            self.broker.pinch = self._pinch
        self.database.weather.happened = self.broker.weather.happened = self._happened
        self.broker.trace = self.database.trace

    def _happened(self) -> None:
        self.trouble += 1

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def note(self, text: str) -> None:
        self.database.note(text)

    async def moment(self) -> None:
        """Some of the time that passes between two deeds: mostly next to none."""
        luck = self.random.random()
        if luck < 0.5:
            await asyncio.sleep(0)
        elif luck < 0.93:
            await asyncio.sleep(luck * 0.02)
        else:
            await asyncio.sleep(luck * 0.4)

    # Appends, as the event store makes them: the lock, then positions, then the commit.

    def append(self, stream: str, *, poison: float = 0.0) -> None:
        """Begin an append to the stream, or give the one under way another event."""
        one = self.open.get(stream)
        if one is None:
            name = f"tx-{self.database.next_of('appender')}"
            one = self.open[stream] = Open(name, stream)
            self.database.appenders[name] = one
            if self.chance(0.2):  # it has its lock, and no position yet
                return
        position = self.database.next_of("event_position")
        if position % 4:  # else it gets its transaction's id a moment after its position
            self.database.running.add(one.name)
        version = len(self.committed[stream]) + len(one.rows) + 1
        row = recorded(position, stream, version)
        one.rows.append(row)
        if poison and self.chance(poison):
            self.broker.poison.add(row.event_id)

    def end_append(self, stream: str, *, rolled_back: bool = False) -> None:
        one = self.open.pop(stream)
        self.note(f"{stream} {'rolled back' if rolled_back else 'committed'} {[row.position for row in one.rows]}")
        if not rolled_back:
            for row in one.rows:
                self.database.tables["events"][row.position] = row
                self.database.tables["outbox"][row.position] = row.shard
            self.committed[stream] += one.rows
            self.database.unflushed.clear()
        self.database.running.discard(one.name)
        if self.chance(0.3):  # the lock is released a moment after the commit can be seen
            self.loop.later(0.001, self.database.appenders.pop, one.name)
        else:
            del self.database.appenders[one.name]

    # Processes.

    def start(self, name: str, main: Callable[[], Coroutine[Any, Any, object]]) -> Process:
        process = Process(name)
        self.note(f"{name} starts")
        task = self.loop.spawn(process, main())
        self.processes.append((process, task))
        return process

    def living(self) -> list[Process]:
        return [process for process, task in self.processes if process.alive and not task.done()]

    def kill(self, process: Process) -> None:
        self.trouble += 1
        self.note(f"{process.name} is killed")
        self.loop.kill(process)
        self.loop.later(self.random.random() * 0.05, self.database.end_of, process)
        self.broker.end_of(process)

    def freeze(self, process: Process, seconds: float) -> None:
        if not process.frozen:
            self.trouble += 1
            self.note(f"{process.name} freezes for {seconds:.2f}")
            process.frozen = True
            self.loop.later(seconds, self.loop.thaw, process)

    def _pinch(self, process: Process | None) -> None:
        """Long enough that its shards and partitions become another's, who then cannot end the work at once."""
        if process is not None and process.alive and not self.broker.weather.fair and self.chance(0.15):
            self.freeze(process, 0.6 + self.random.random() * 0.5)
            if self.chance(0.5):
                self.loop.later(0.05, self.stop_broker, 1.0)

    def restart_database(self) -> None:
        self.trouble += 1
        self.database.fail_over(power_cut=self.chance(0.5))

    def stop_broker(self, seconds: float) -> None:
        self.trouble += 1
        if self.broker.weather.fair:
            return
        self.note(f"kafka is away for {seconds:.2f}")
        self.broker.is_down = True
        self.loop.later(seconds, setattr, self.broker, "is_down", False)

    def heal(self) -> None:
        """From now on all goes well."""
        self.note("all is well")
        self.database.weather.fair = self.broker.weather.fair = True
        self.broker.is_down = False
        for process, _ in self.processes:
            if process.frozen:
                self.loop.thaw(process)
        for stream in list(self.open):
            self.end_append(stream)

    @contextmanager
    def forgiving(self) -> Iterator[None]:
        """Of somebody outside whose own connection may break."""
        with suppress(psycopg.OperationalError):
            yield

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = self.loop.time() + PATIENCE
        while not holds():
            if self.loop.time() > deadline:
                raise Violation(f"in vain waited for: {what}")
            await asyncio.sleep(0.01)

    def still_well(self) -> None:
        """Raises what ended a process, or a task that nobody looked at, other than on purpose."""
        if self.loop.failures:
            raise Violation(f"nobody looked at {self.loop.failures}")
        for process, task in self.processes:
            if process.alive and task.done():
                task.result()

    # What is looked at while it happens.

    def _watch(self, statement: str, values: Values, result: Result) -> None:
        if statement == "delete_acknowledged":
            tables = self.database.tables
            for (position,) in result.rows:
                row: Pending = tables["events"][position]
                lease: Lease = tables["relay_leases"][row.shard]
                if lease.owner != values["owner"]:
                    raise Violation(f"{values['owner']} deleted {position}, whose shard {lease.owner} owns")
                if not self.is_published(row):
                    raise Violation(f"{position} was deleted and is not in Kafka")

    def _watch_sending(self, process: Process | None, events: Sequence[bytes]) -> None:
        """Nobody sends what is another's by now. One that was frozen between looking and sending cannot know."""
        now = self.loop.time()
        if process is None or now < process.woke_at + JUST_WOKEN:
            return
        for event in events:
            row: Pending = self.database.tables["events"][int(UUID(event.decode()))]
            lease: Lease = self.database.tables["relay_leases"][row.shard]
            if lease.owner not in (None, process.name):
                raise Violation(f"{process.name} sent {row.position}, whose shard {lease.owner} owns")

    def is_published(self, row: Pending) -> bool:
        return any(record.event_id == row.event_id for record in self.records_of(row.stream_id.decode()))

    def records_of(self, stream: str) -> Sequence[Any]:
        topic = BY_CATEGORY[stream.partition("-")[0]]
        found = [log for partition, log in self.broker.logs.items() if partition.topic == topic]
        return [record for log in found for record in log if record.subject == stream]

    def check_topics(self, dropped: set[int] | None = None) -> None:
        """All that was committed, the first time it comes in order, and nothing else."""
        repeats = 0
        for stream in STREAMS:
            records = self.records_of(stream)
            first_seen = list(dict.fromkeys(record.event_id for record in records))
            wanted = [row.event_id for row in self.committed[stream] if row.position not in (dropped or ())]
            if first_seen != wanted:
                numbers = [int(UUID(one.decode())) for one in first_seen], [int(UUID(one.decode())) for one in wanted]
                raise Violation(f"{stream}: in the topic {numbers[0]}, committed {numbers[1]}")
            repeats += len(records) - len(first_seen)
            most = max(Counter(record.event_id for record in records).values(), default=0)
            if most > 1 + self.trouble:
                raise Violation(f"{stream}: a record came {most} times after {self.trouble} troubles")
        if repeats and not self.trouble:
            raise Violation(f"{repeats} records came twice, and nothing had gone wrong")


def recorded(position: int, stream: str, version: int) -> Pending:
    key = stream.partition("-")[2]
    data = json.dumps({"old": f"name {version - 1}", "new": f"name {version}"})
    return Pending(
        position=position,
        shard=shard_of(key),
        is_parked=False,
        rewinds=0,
        partition_key=key.encode(),
        data=data.encode(),
        type=b"product.renamed",
        schema=1,
        org_id=ORG.encode(),
        actor=b"user:rina",
        event_id=str(UUID(int=position)).encode(),
        stream_id=stream.encode(),
        version=version,
        occurred_at=TIME,
        recorded_at=TIME,
        correlation_id=str(UUID(int=position)).encode(),
        causation_id=None,
        batch_id=None,
    )
