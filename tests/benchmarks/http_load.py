"""HTTP requests from many kept-open connections, as fast as they are answered or by a schedule."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

Latencies = dict[str, list[float]]
"""Seconds, by kind of request."""


class Request(NamedTuple):
    kind: str
    content: bytes

    @classmethod
    def of(cls, kind: str, method: str, path: str, key: str, body: bytes = b"") -> Self:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return cls(kind, head.encode() + body)


Requests = Callable[[int], Request]
"""The request of that number."""


class Caller:
    """One connection, with as little of its own as can be: what measures takes processor time from what is measured."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)

    async def ask(self, request: Request) -> bytes:
        """The answer's body. Raises AssertionError for any answer but 200."""
        if self._reader.at_eof():  # servers end connections that nobody has used for some seconds
            await self.close()
            await self.open()
        self._writer.write(request.content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(length)
        assert head.startswith(b"HTTP/1.1 200"), (head, body)
        return body

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def callers_of(address: str, number: int) -> AsyncIterator[list[Caller]]:
    host, _, port = address.removeprefix("http://").rpartition(":")
    callers = [Caller(host, int(port)) for _ in range(number)]
    for caller in callers:
        await caller.open()
    try:
        yield callers
    finally:
        for caller in callers:
            await caller.close()


async def as_fast_as_it_goes(callers: Sequence[Caller], requests: Requests, seconds: float) -> Latencies:
    """Each caller sends its next request when the last is answered."""
    latencies: Latencies = defaultdict(list)
    end = time.perf_counter() + seconds

    async def call(number: int, caller: Caller) -> None:
        while (began := time.perf_counter()) < end:
            request = requests(number)
            await caller.ask(request)
            latencies[request.kind].append(time.perf_counter() - began)
            number += len(callers)

    async with asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(call(number, caller))
    return latencies


async def at_a_rate(callers: Sequence[Caller], requests: Requests, rate: float, seconds: float) -> Latencies:
    """Latency counts from when a request was due: a stall is not hidden by the requests it kept from being sent."""
    latencies: Latencies = defaultdict(list)
    free: asyncio.Queue[Caller] = asyncio.Queue()
    for caller in callers:
        free.put_nowait(caller)

    async def one(number: int, due: float) -> None:
        request = requests(number)
        caller = await free.get()
        await caller.ask(request)
        free.put_nowait(caller)
        latencies[request.kind].append(time.perf_counter() - due)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(one(number, due))
    return latencies
