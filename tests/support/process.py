"""Processes that a test has started."""

from __future__ import annotations

import asyncio
import signal


async def end(process: asyncio.subprocess.Process, patience: float) -> None:
    """Ask it to; kill it when it has not ended within so many seconds. Raises ProcessLookupError if it had already."""
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), patience)
    except TimeoutError:
        process.kill()
        await process.wait()
