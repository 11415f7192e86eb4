"""Kafka's twin: logs of partitions, and the producer as our code uses aiokafka's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from aiokafka.errors import (
    KafkaConnectionError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    RequestTimedOutError,
)

from infrastructure.kafka.cloudevents import Header
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.topics import TOPICS
from tests.simulation.database import Weather
from tests.simulation.scheduler import Process, Scheduler, running

PARTITIONS: Final = 2
SESSION_SECONDS: Final = 0.5
G = TypeVar("G")
BATCH_RECORDS: Final = 3
"""That fit into a batch."""


class Held(NamedTuple):
    """A record as its partition holds it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    timestamp: int
    event_id: bytes
    subject: str


class Member(Protocol):
    @property
    def process(self) -> Process | None: ...

    def expel(self) -> None: ...


class Broker:
    def __init__(self, loop: Scheduler) -> None:
        self.loop = loop
        self.weather = Weather(loop)
        self.weather.lost_before = self.weather.lost_after = 0.02
        self.logs: dict[Partition, list[Held]] = {
            Partition(topic, number): [] for topic in TOPICS for number in range(PARTITIONS)
        }
        self.poison: set[bytes] = set()
        """Ids of events that are refused."""
        self.is_down = False
        self.handed_over: Callable[[Process | None, Sequence[bytes]], None] = lambda _, __: None
        self.pinch: Callable[[Process | None], None] = lambda _: None
        """Told when it would be worst for a process to freeze."""
        self.trace: list[str] = []
        self.members: list[Member] = []
        """Of groups, whether or not these still count them in."""
        self._groups: dict[str, Any] = {}

    def group(self, name: str, make: Callable[[], G]) -> G:
        found: G | None = self._groups.get(name)
        if found is None:
            found = self._groups[name] = make()
        return found

    def end_of(self, process: Process) -> None:
        """Sessions of one that has died run out."""
        for member in self.members:
            if member.process is process:
                self.loop.later(SESSION_SECONDS, member.expel)

    def note(self, text: str) -> None:
        self.trace.append(f"{self.loop.time():10.4f} {text}")

    def write(self, partition: Partition, batch: Batch) -> None:
        log = self.logs[partition]
        for key, value, headers in batch.records:
            named = dict(headers)
            subject = named["ce_subject"].decode()
            log.append(Held(*partition, len(log), key, value, headers, 0, named["ce_id"], subject))
        self.note(f"{partition.topic}/{partition.partition} +{len(batch.records)} = {len(log)}")


class Batch:
    """As aiokafka's BatchBuilder."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes, Sequence[Header]]] = []
        self.closed = False

    def append(self, *, timestamp: int, key: bytes, value: bytes, headers: Sequence[Header]) -> object | None:
        if len(self.records) == BATCH_RECORDS:
            return None
        self.records.append((key, value, headers))
        return self

    def close(self) -> None:
        self.closed = True


class Metadata:
    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(PARTITIONS))


class Producer:
    """As an idempotent AIOKafkaProducer: per partition one batch after the other, in the order they were given."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._process = running.get()
        self._queues: dict[Partition, list[tuple[Batch, asyncio.Future[object]]]] = {}
        self._out_of_step: set[Partition] = set()
        self._closed = False
        self._started = False
        self._sender = self
        self.sender_task: asyncio.Task[None] | None = None
        self.client = self

    async def start(self) -> None:
        await asyncio.sleep(self._broker.weather.delay())
        if self._broker.is_down or self._broker.weather.loses_request():
            raise KafkaConnectionError("no broker")
        self._started = True

    async def fetch_all_metadata(self) -> Metadata:
        await asyncio.sleep(self._broker.weather.delay())
        if self._broker.is_down:
            raise KafkaConnectionError("no broker")
        return Metadata()

    async def close(self) -> None:
        """Requests that have left are not called back; what has not left stays here."""
        self._closed = True
        await asyncio.sleep(0)

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[object]:
        assert batch.closed, "a batch is closed before it is sent"
        assert self._started, "a producer is started before it is used"
        if self._closed:
            raise KafkaConnectionError("the producer is closed")
        await asyncio.sleep(0)
        broker = self._broker
        broker.handed_over(self._process, [dict(headers)["ce_id"] for _, _, headers in batch.records])
        acknowledged: asyncio.Future[object] = broker.loop.create_future()
        queue = self._queues.setdefault(Partition(topic, partition), [])
        queue.append((batch, acknowledged))
        if len(queue) == 1:
            self._send(Partition(topic, partition))
        return acknowledged

    def _send(self, partition: Partition) -> None:
        broker = self._broker
        if self._closed or (self._process is not None and not self._process.alive):
            return
        batch, _ = self._queues[partition][0]
        if broker.is_down or broker.weather.loses_request():
            broker.loop.later(0.01, self._fail, partition, RequestTimedOutError(), process=self._process)
        else:
            broker.loop.later(broker.weather.delay(), self._receive, partition, batch)

    def _receive(self, partition: Partition, batch: Batch) -> None:
        """At the broker."""
        broker = self._broker
        if broker.is_down:
            broker.loop.later(0.01, self._fail, partition, RequestTimedOutError(), process=self._process)
            return
        if partition in self._out_of_step:
            broker.loop.later(0, self._fail, partition, OutOfOrderSequenceNumber(), process=self._process)
            return
        if any(dict(headers)["ce_id"] in broker.poison for _, _, headers in batch.records):
            self._out_of_step.add(partition)
            broker.loop.later(
                broker.weather.delay(), self._fail, partition, MessageSizeTooLargeError(), process=self._process
            )
            return
        broker.write(partition, batch)
        if broker.weather.loses_answer():
            if broker.loop.random.random() < 0.5:
                broker.loop.later(0.01, self._fail, partition, RequestTimedOutError(), process=self._process)
            return  # or nothing is ever heard of it
        broker.loop.later(broker.weather.delay(), self._acknowledge, partition, process=self._process)

    def _fail(self, partition: Partition, error: Exception) -> None:
        _, acknowledged = self._queues[partition].pop(0)
        if not acknowledged.done():
            acknowledged.set_exception(error)
            acknowledged.exception()  # nobody need look at it
        if not isinstance(error, MessageSizeTooLargeError):
            self._out_of_step.add(partition)
        if self._queues[partition]:
            self._send(partition)

    def _acknowledge(self, partition: Partition) -> None:
        _, acknowledged = self._queues[partition].pop(0)
        if not acknowledged.done():
            acknowledged.set_result(None)
            self._broker.pinch(self._process)
        if self._queues[partition]:
            self._send(partition)
