"""A relay as a process of its own, for tests that kill it: `python -m tests.relay.process URL KAFKA OWNER LEASE`."""

import asyncio
import sys

from infrastructure.kafka.client import KafkaSettings
from infrastructure.postgres.pool import WORKER, open_pool
from relay.loop import run_relay


async def main(url: str, kafka: str, owner: str, lease: str) -> None:
    async with open_pool(url, role=WORKER, name=owner) as pool:
        settings = KafkaSettings(bootstrap=kafka)
        await run_relay(pool, settings, asyncio.Event(), owner=owner, lease_seconds=float(lease))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
