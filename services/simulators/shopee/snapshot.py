"""Keeps the shop's state in a file, so that a restarted simulator is the same shop."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec

from services.simulators.shopee.shop import Shop, State


class SnapshotUnreadable(Exception):
    """The file is there but holds no shop of this version."""


def load(path: Path | None) -> State:
    """The stored state, or a new one where there is no file. Raises `SnapshotUnreadable`."""
    if path is None or not path.exists():
        return State()
    try:
        return msgspec.json.decode(path.read_bytes(), type=State, strict=False)
    except msgspec.DecodeError as reason:
        raise SnapshotUnreadable(f"{path} holds no simulated shop ({reason}); remove it to start anew") from reason


def save(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


class Keeper:
    """Writes the state within two seconds of a change."""

    def __init__(self, path: Path, shop: Shop) -> None:
        self._path = path
        self._shop = shop
        self._written = shop.revision
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._write()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(2.0)
            if self._shop.revision != self._written:
                await self._write()

    async def _write(self) -> None:
        self._written = self._shop.revision
        await asyncio.to_thread(save, self._path, msgspec.json.encode(self._shop.state))
