"""What the HTTP server itself can do: GET or PATCH /n is answered with a JSON document of n bytes, by nothing else.

python -m tests.benchmarks.bare_server --port 20001
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
import uvloop

from infrastructure.local_stack.ports import LOOPBACK, choose_free
from services.api.server import config_of

Message = MutableMapping[str, Any]


async def answer(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    while (await receive()).get("more_body", False):
        pass
    body = b'"' + b"x" * (int(scope["path"][1:]) - 2) + b'"'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def bare_server() -> AsyncIterator[str]:
    """Its address. It runs in a process of its own, as ours does."""
    port = choose_free(excluding=frozenset())
    command = (sys.executable, "-m", "tests.benchmarks.bare_server", "--port", str(port))
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await _until_it_listens(port)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvloop.run(uvicorn.Server(config_of(answer, LOOPBACK, port, lifespan="off")).serve())


if __name__ == "__main__":
    main()
