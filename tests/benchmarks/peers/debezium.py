"""Debezium's outbox event router on Kafka Connect, standalone, in a Java process of its own.

It reads PostgreSQL's log (`wal_level = logical`, which every local stack has) through a slot. While a slot is read,
PostgreSQL decodes for it whatever is written: it is there in this peer's own turns alone. Between them the process is
stopped, so that others have the processors to themselves, as it has.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict

from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.topics import PARTITIONS, PRODUCT
from infrastructure.local_stack.ports import LOOPBACK, choose_free
from infrastructure.local_stack.process import tail
from tests.benchmarks import processors
from tests.benchmarks.peers import debezium_jars
from tests.benchmarks.peers.debezium_rows import HEADERS, TABLE, create, insert
from tests.support.process import end

NAME: Final = "Debezium"
PATIENCE: Final = 60.0
JVM: Final = ("-Xms256m", "-Xmx768m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-Djava.awt.headless=true")
LOGGING: Final = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-Dorg.slf4j.simpleLogger.showDateTime=true")
WORKER: Final = """\
bootstrap.servers={bootstrap}
listeners=http://{address}:{port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
header.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
plugin.discovery=only_scan
producer.linger.ms=0
producer.batch.size=524288
"""


def configuration(url: str, name: str) -> dict[str, str]:
    """Of the connector: larger batches than by default, no waiting for them to fill."""
    server = conninfo_to_dict(url)
    return {
        "name": name,
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "topic.prefix": name,
        "database.hostname": str(server["host"]),
        "database.port": str(server["port"]),
        "database.user": str(server["user"]),
        "database.password": str(server["password"]),
        "database.dbname": str(server["dbname"]),
        "plugin.name": "pgoutput",
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        "table.include.list": f"public.{TABLE}",
        "snapshot.mode": "no_data",
        "tombstones.on.delete": "false",
        "max.batch.size": "8192",
        "max.queue.size": "32768",
        "poll.interval.ms": "5",
        "transforms": "outbox",
        "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        "transforms.outbox.route.topic.replacement": "syncstore.${routedByValue}",
        "transforms.outbox.table.fields.additional.placement": ",".join(f"{header}:header" for header in HEADERS),
    }


class Connect:
    """Kafka Connect's process, asleep but for its turns, and its REST interface."""

    def __init__(self, folder: Path, kafka: KafkaSettings, port: int, client: httpx.AsyncClient) -> None:
        self.client = client
        self.notes: list[str] = []
        """What a reader of its figures has to know."""
        self._log = folder / "connect.log"
        self._folder = folder
        self._worker = folder / "worker.properties"
        self._worker.write_text(WORKER.format(bootstrap=kafka.bootstrap, address=LOOPBACK, port=port, folder=folder))
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """To be called first; `answering` waits until it is of use."""
        command = [str(debezium_jars.java()), *JVM, *LOGGING, "-cp", debezium_jars.class_path()]
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                "org.apache.kafka.connect.cli.ConnectStandalone",
                str(self._worker),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    async def answering(self) -> None:
        await _until(self._answers, "Kafka Connect does not answer")

    def sleep(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself; `wake` tells
            self._process.send_signal(signal.SIGSTOP)

    async def wake(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            return
        self.notes.append(f"Kafka Connect died asleep and was started anew: its next turn was cold. {tail(self._log)}")
        await self.start()
        await self.answering()

    async def end(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            self._process.send_signal(signal.SIGCONT)
            await end(self._process, 20.0)

    async def _answers(self) -> bool:
        if self._process.returncode is not None:
            raise RuntimeError(f"Kafka Connect died at its start. {tail(self._log)}")
        try:
            return (await self.client.get("/")).is_success
        except httpx.TransportError:
            return False


class Router:
    """A connector with a slot of its own that carries rows of its table into the topic of products."""

    def __init__(self, connect: httpx.AsyncClient, url: str, name: str) -> None:
        self.url, self.name = url, name
        self._connect = connect

    async def start(self) -> None:
        """Returns when its slot streams."""
        await _until(self._created, f"the connector {self.name} was not taken")
        await self.streaming()

    async def stop(self) -> None:
        """The slot stays, and is read by nobody."""
        (await self._connect.put(f"/connectors/{self.name}/stop")).raise_for_status()
        await _until(self._idle, f"the slot {self.name} is still read")

    async def resume(self) -> None:
        (await self._connect.put(f"/connectors/{self.name}/resume")).raise_for_status()

    async def streaming(self) -> None:
        await _until(self._active, f"nobody reads the slot {self.name}", nap=0.005)

    async def remove(self) -> None:
        answer = await self._connect.delete(f"/connectors/{self.name}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()
        await _until(self._idle, f"the slot {self.name} is still read")
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [self.name]
            )
            connection.execute(sql.SQL("drop publication if exists {}").format(sql.Identifier(self.name)))

    async def _created(self) -> bool:
        answer = await self._connect.put(
            f"/connectors/{self.name}/config", json=configuration(self.url, self.name), timeout=PATIENCE
        )
        if answer.is_client_error and answer.status_code != httpx.codes.CONFLICT:  # conflict: Connect is not ready yet
            raise RuntimeError(f"Kafka Connect refuses the connector: {answer.text}")
        return answer.is_success

    async def _active(self) -> bool:
        return await self._slot() is True

    async def _idle(self) -> bool:
        return await self._slot() is not True

    async def _slot(self) -> bool | None:
        """Whether it is read; None when there is none."""
        async with await AsyncConnection.connect(self.url, autocommit=True) as connection:
            found = await connection.execute(
                "select active from pg_replication_slots where slot_name = %s", [self.name]
            )
            row = await found.fetchone()
            return None if row is None else bool(row[0])


@asynccontextmanager
async def kafka_connect(kafka: KafkaSettings) -> AsyncIterator[Connect]:
    """Asleep until its turn; the process is gone in the end."""
    port = choose_free(frozenset())
    with tempfile.TemporaryDirectory(prefix="syncstore-connect-", ignore_cleanup_errors=True) as folder:
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{port}", timeout=PATIENCE) as client:
            connect = Connect(Path(folder), kafka, port, client)
            await connect.start()
            try:
                await connect.answering()
                connect.sleep()
                yield connect
            finally:
                await connect.end()


@asynccontextmanager
async def routing(connect: Connect, url: str) -> AsyncIterator[Router]:
    """A connector that streams from an empty table; it and its slot are gone in the end."""
    create(url)
    router = Router(connect.client, url, f"router_{uuid4().hex}")
    await connect.wake()
    try:
        await router.start()
        yield router
    finally:
        await router.remove()
        connect.sleep()


async def drain_while_inserted(router: Router, kafka: KafkaSettings, rows: int, limit: float) -> float:
    """Rows per second until the last that is ready is in Kafka, or time is up, from the first insert on."""
    async with arrivals(kafka) as arrived:
        began = time.perf_counter()
        inserting = asyncio.create_task(asyncio.to_thread(insert, router.url, rows))
        found = await rate(arrived, rows, began, limit)
        await inserting
        return found


async def drain_backlog(router: Router, kafka: KafkaSettings, rows: int, limit: float) -> processors.Turn:
    """Of rows that were inserted while nobody read the slot, from when it is read again."""
    await router.stop()
    await asyncio.to_thread(insert, router.url, rows)
    async with arrivals(kafka) as arrived:
        await router.resume()
        await router.streaming()
        with processors.measured("waiting") as spent:
            found = await rate(arrived, rows, time.perf_counter(), limit)
        return processors.Turn(found, sum(spent.values()) - spent["waiting"])


async def rate(arrived: Callable[[], Awaitable[int]], rows: int, began: float, limit: float) -> float:
    while True:
        there = await arrived()
        took = time.perf_counter() - began
        if there >= rows or took > limit:
            return there / took
        await asyncio.sleep(0.01)


@asynccontextmanager
async def arrivals(kafka: KafkaSettings) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """How many records the topic of products has got since."""
    consumer = AIOKafkaConsumer(**kafka.client_options())
    await consumer.start()
    try:
        partitions = [TopicPartition(PRODUCT, number) for number in range(PARTITIONS)]

        async def end() -> int:
            found: dict[Any, int] = await consumer.end_offsets(partitions)
            return sum(found.values())

        before = await end()

        async def arrived() -> int:
            return await end() - before

        yield arrived
    finally:
        await consumer.stop()


async def _until(true: Callable[[], Awaitable[bool]], amiss: str, nap: float = 0.05) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{amiss} after {PATIENCE:.0f} seconds")
        await asyncio.sleep(nap)
