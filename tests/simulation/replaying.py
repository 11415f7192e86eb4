"""Kafka's twin as `Replay` reads it: outside of any group."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.errors import KafkaConnectionError

from infrastructure.kafka.offsets import Partition
from tests.simulation.broker import PARTITIONS, Broker, Held


class Client:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    async def start(self) -> None:
        await self.round_trip()

    async def round_trip(self) -> None:
        await asyncio.sleep(self.broker.weather.delay())
        if self.broker.is_down or self.broker.weather.loses_request():
            raise KafkaConnectionError("no broker")


class Admin(Client):
    async def close(self) -> None:
        await asyncio.sleep(0)

    async def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        await self.round_trip()
        partitions = [{"partition": number} for number in range(PARTITIONS)]
        return [{"topic": topic, "error_code": 0, "partitions": partitions} for topic in topics]


class Reader(Client):
    """As AIOKafkaConsumer without a group."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self._positions: dict[Partition, int] = {}
        self._paused: set[Partition] = set()

    async def stop(self) -> None:
        await asyncio.sleep(0)

    async def end_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        await self.round_trip()
        ends = {partition: len(self.broker.logs[partition]) for partition in partitions}
        await asyncio.sleep(self.broker.weather.delay())
        return ends

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        await self.round_trip()
        return dict.fromkeys(partitions, 0)

    def assign(self, partitions: Iterable[Partition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)
        self._paused.clear()

    def seek(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = offset

    def pause(self, partition: Partition) -> None:
        self._paused.add(partition)

    async def position(self, partition: Partition) -> int:
        await asyncio.sleep(0)
        return self._positions[partition]

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[Partition, list[Held]]:
        await asyncio.sleep(self.broker.weather.delay())
        found: dict[Partition, list[Held]] = {}
        if self.broker.is_down:
            await asyncio.sleep(timeout_ms / 1000)
            return found
        for partition, position in self._positions.items():
            most = self.broker.loop.random.randrange(1, 4)
            records = self.broker.logs[partition][position : position + most]
            if records and partition not in self._paused:
                found[partition] = records
                self._positions[partition] = records[-1].offset + 1
        return found
