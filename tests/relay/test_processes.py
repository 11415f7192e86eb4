"""Relays as processes of their own: asked to stop, or frozen past their leases."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from infrastructure.outbox.shards import SHARDS
from relay.relay import BATCH
from tests.relay.ground import DEADLINE, Ground, complete, relaying, repeated, until, versions_by_stream
from tests.support.backlog import rounds

KEYS = [f"p{number}" for number in range(200)]
FACTS = rounds(KEYS, range(1, 101))

Process = asyncio.subprocess.Process


@asynccontextmanager
async def process(*command: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """A Python process that is gone in the end, frozen or not."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, *command, env={**os.environ, **(environment or {})}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        async with asyncio.timeout(DEADLINE):
            await started.wait()


async def test_a_process_that_is_asked_to_stop_in_a_backlog_leaves_nothing_to_be_sent_twice(ground: Ground) -> None:
    environment = {
        "SYNCSTORE_DATABASE_URL": ground.url,
        "SYNCSTORE_KAFKA_BOOTSTRAP": ground.kafka.bootstrap,
        "SYNCSTORE_ENCRYPTION_KEYS": f"test:{base64.b64encode(bytes(32)).decode()}",
    }
    await ground.store(FACTS)
    async with process("-m", "services.cli.main", "relay", environment=environment) as leaving:
        await ground.until_arrived(1)
        leaving.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE):
            assert await leaving.wait() == 0

    assert await ground.shares() == {}
    assert await ground.depth() + len(await ground.arrived()) == len(FACTS)
    async with relaying(ground):
        await ground.emptied()
    records = await ground.arrived()
    assert repeated(records) == 0
    assert versions_by_stream(records) == complete(FACTS)


async def test_a_process_frozen_past_its_leases_wakes_up_to_delete_nothing_of_its_heir(ground: Ground) -> None:
    await ground.store(FACTS)
    command = ("-m", "tests.relay.process", ground.url, ground.kafka.bootstrap, "sleeper", "1")
    async with process(*command) as sleeper:
        await ground.until_arrived(1)
        sleeper.send_signal(signal.SIGSTOP)
        async with relaying(ground):

            async def inherited() -> bool:
                return await ground.shares() == {"relay-0": SHARDS}

            await until(inherited)
            await ground.emptied()
            later = rounds(KEYS, range(101, 121))
            sleeper.send_signal(signal.SIGCONT)
            await ground.store(later)
            await ground.emptied()

    records = await ground.arrived()
    assert versions_by_stream(records) == complete([*FACTS, *later])
    assert repeated(records) <= 2 * BATCH  # what was under way, and acknowledged but not yet deleted
