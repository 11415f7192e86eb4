"""A consumer group as Kafka keeps it, and its members as FastStream and aiokafka show them to our code.

A rebalance takes partitions away, waits until everybody has joined or is given up, and deals them out anew. A member
that was given up while it was frozen goes on with what it holds until it hears of that. A new assignment is first read
from where Kafka was last told the group stands, as aiokafka does before our listener has had its say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError

from infrastructure.kafka.offsets import Partition
from tests.simulation.broker import PARTITIONS, SESSION_SECONDS, Broker, Held
from tests.simulation.scheduler import Process, running


class Group:
    def __init__(self, broker: Broker, name: str, topics: tuple[str, ...]) -> None:
        self.broker = broker
        self.name = name
        self.topics = topics
        self.members: list[Consumer] = []
        self.told: dict[Partition, int] = {}
        """Where Kafka was told that the group stands."""
        self.generation = 0
        self._joined: dict[Consumer, asyncio.Future[list[Partition]]] = {}
        self._is_open = False

    def wants_round(self) -> None:
        """Somebody came or went."""
        if self._is_open:
            return
        self._is_open = True
        self.generation += 1
        for member in self.members:
            self.broker.loop.later(self.broker.weather.delay(), member.wake, self.generation, process=member.process)
        self.broker.loop.later(SESSION_SECONDS, self._give_up, self.generation)

    def join(self, member: Consumer) -> asyncio.Future[list[Partition]]:
        if member not in self.members:
            self.members.append(member)
        answer: asyncio.Future[list[Partition]] = self.broker.loop.create_future()
        self.wants_round()
        member.generation = self.generation
        self._joined[member] = answer
        if len(self._joined) == len(self.members):
            self._deal()
        return answer

    def leave(self, member: Consumer) -> None:
        self._joined.pop(member, None)
        if member in self.members:
            self.members.remove(member)
            if self._is_open and self.members and len(self._joined) == len(self.members):
                self._deal()
            else:
                self.wants_round()

    def expel(self, member: Consumer) -> None:
        if member in self.members:
            self.broker.note(f"group {self.name} gives {member.name} up")
            self.leave(member)
            self.broker.loop.later(0.01, member.wake, None, process=member.process)

    def _give_up(self, generation: int) -> None:
        """Who has not joined by now is out."""
        if self._is_open and generation == self.generation:
            for member in [one for one in self.members if one not in self._joined]:
                self.members.remove(member)
                self.broker.note(f"group {self.name} goes on without {member.name}")
                self.broker.loop.later(0.01, member.wake, None, process=member.process)
            self._deal()

    def _deal(self) -> None:
        """Ranges, so that topics keyed alike stay together."""
        self._is_open = False
        joined, self._joined = self._joined, {}
        self.broker.note(f"group {self.name} is dealt to {', '.join(member.name for member in joined)}")
        for place, answer in enumerate(joined.values()):
            share = range(place * PARTITIONS // len(joined), (place + 1) * PARTITIONS // len(joined))
            dealt = [Partition(topic, number) for topic in self.topics for number in share]
            self.broker.loop.later(self.broker.weather.delay(), _answer, answer, dealt)


def _answer(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


class Consumer:
    """As AIOKafkaConsumer in a group."""

    def __init__(self, group: Group, listener: Any) -> None:
        self.group = group
        self.broker = group.broker
        self.process: Process | None = running.get()
        self.name = f"{self.process.name if self.process else '-'}"
        self.generation = -1
        self._listener = listener
        self._positions: dict[Partition, int] = {}
        self._woken = asyncio.Event()
        self._woken.set()
        self._coordinating: asyncio.Task[None] | None = None
        self._joining: asyncio.Future[list[Partition]] | None = None
        self._closing = False

    def wake(self, generation: int | None) -> None:
        """For a round that it may have joined already; None: it has been given up."""
        if generation is None or generation > self.generation:
            self._woken.set()

    def expel(self) -> None:
        self.group.expel(self)

    async def start(self) -> None:
        await self._round_trip()
        self.broker.members.append(self)
        self._coordinating = asyncio.create_task(self._coordinate())

    async def stop(self) -> None:
        """A rebalance under way is seen through as far as our listener goes."""
        self._closing = True
        self._woken.set()
        if self._joining is not None:
            _answer(self._joining, [])
        if self._coordinating is not None:
            await self._coordinating
        self._positions = {}
        self.group.leave(self)
        self.broker.members.remove(self)
        await asyncio.sleep(self.broker.weather.delay())

    async def _coordinate(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            if self._closing:
                return
            await self._listener.on_partitions_revoked(set(self._positions))
            self._positions = {}
            self._joining = self.group.join(self)
            dealt = await self._joining
            self._joining = None
            if self._closing:
                return
            self._positions = {partition: self.group.told.get(partition, 0) for partition in dealt}
            await self._listener.on_partitions_assigned(set(dealt))

    async def _round_trip(self) -> None:
        await asyncio.sleep(self.broker.weather.delay())
        if self.broker.is_down or self.broker.weather.loses_request():
            raise KafkaConnectionError("no broker")

    async def getmany(self, *, timeout_ms: int, max_records: int | None = None) -> Mapping[Partition, list[Held]]:
        for _ in range(2):
            found: dict[Partition, list[Held]] = {}
            left = max_records or 10_000
            for partition, position in self._positions.items():
                if self.broker.is_down:
                    break
                records = self.broker.logs[partition][position : position + left]
                if records:
                    found[partition] = records
                    left -= len(records)
                    if not left:
                        break
            if found:
                for partition, records in found.items():
                    self._positions[partition] = records[-1].offset + 1
                await asyncio.sleep(0)
                return found
            await asyncio.sleep(timeout_ms / 1000)
        return {}

    def assignment(self) -> set[Partition]:
        return set(self._positions)

    def seek(self, partition: Partition, offset: int) -> None:
        if partition not in self._positions:
            raise IllegalStateError(f"{partition} is not assigned")
        self._positions[partition] = offset

    def highwater(self, partition: Partition) -> int:
        return len(self.broker.logs[partition])

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        await self._round_trip()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        await self._round_trip()
        ends = {partition: len(self.broker.logs[partition]) for partition in partitions}
        self.broker.pinch(self.process)
        await asyncio.sleep(self.broker.weather.delay())
        return ends

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        await self._round_trip()
        if self.generation != self.group.generation or self not in self.group.members:
            raise CommitFailedError("the group has moved on")
        self.group.told |= positions


class Subscriber:
    """As FastStream's batch subscriber: what its handler raises is swallowed."""

    def __init__(self, broker: Broker, topics: tuple[str, ...], options: Mapping[str, Any]) -> None:
        self.consumer: Consumer | None = None
        self._broker = broker
        self._topics = topics
        self._options = options
        self._handler: Callable[[Any], Awaitable[None]] | None = None
        self._loop: asyncio.Task[None] | None = None
        self._running = True
        self._handling = asyncio.Lock()

    def __call__(self, handler: Callable[[Any], Awaitable[None]]) -> None:
        self._handler = handler

    async def start(self) -> None:
        name = self._options["group_id"]
        group = self._broker.group(name, lambda: Group(self._broker, name, self._topics))
        self.consumer = consumer = Consumer(group, self._options["listener"])
        await consumer.start()
        self._loop = asyncio.create_task(self._consume(consumer))

    async def stop(self) -> None:
        if self._loop is not None and self.consumer is not None:
            self._running = False
            async with self._handling:
                self._loop.cancel()
            await self.consumer.stop()
        self.consumer = None

    async def _consume(self, consumer: Consumer) -> None:
        timeout, limit = self._options["batch_timeout_ms"], self._options["max_records"]
        assert self._handler is not None, "given before the start"
        while self._running:
            found = await consumer.getmany(timeout_ms=timeout, max_records=limit)
            if found:
                try:
                    async with self._handling:
                        await self._handler(tuple(chain(*found.values())))
                except Exception as error:  # noqa: BLE001  # as FastStream does
                    self._broker.note(f"{consumer.name}: swallowed {error!r}")


class KafkaBroker:
    """As FastStream's."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._subscribers: list[Subscriber] = []

    def subscriber(self, *topics: str, **options: Any) -> Subscriber:
        made = Subscriber(self._broker, topics, options)
        self._subscribers.append(made)
        return made

    async def start(self) -> None:
        for subscriber in self._subscribers:
            await subscriber.start()

    async def stop(self) -> None:
        for subscriber in self._subscribers:
            await subscriber.stop()
