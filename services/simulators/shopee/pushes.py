"""Sends the shop's push messages, repeats them as Shopee does, and keeps those that never arrived."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

import httpx
import msgspec
import structlog
from msgspec import Struct

from infrastructure.platforms.shopee.signing import sign_push
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.shop import Emission, LostMessage, Shop

WAITS: Final = (300.0, 1800.0, 10_800.0)
"""Seconds before the second, third and fourth try."""

HEALTH_SPAN: Final = 6 * 3600
HEALTH_SAMPLE: Final = 600

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Health(Struct, frozen=True):
    """Of the last six hours. `verdict`: "normal", "warning" below 70 % success, "suspended" below 30 %."""

    pushes: int
    succeeded: int
    verdict: str


class PushSender:
    """Runs from `start` to `stop`. What has not been delivered at `stop` is kept as lost."""

    def __init__(self, config: SimulatorConfig, shop: Shop, http: httpx.AsyncClient) -> None:
        self._config = config
        self._shop = shop
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(50)
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._succeeded = 0
        self.delivered = 0

    def start(self) -> None:
        self._shop.emit = self._emit

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def health(self) -> Health:
        while self._outcomes and self._outcomes[0][0] <= self._shop.now() - HEALTH_SPAN:
            _, succeeded = self._outcomes.popleft()
            self._succeeded -= succeeded
        pushes = len(self._outcomes)
        verdict = "normal"
        if self._shop.state.push_suspended:
            verdict = "suspended"
        elif pushes >= HEALTH_SAMPLE and self._succeeded * 100 < 70 * pushes:
            verdict = "warning"
        return Health(pushes, self._succeeded, verdict)

    @property
    def waiting(self) -> int:
        """Messages that are neither delivered nor lost yet."""
        return len(self._tasks)

    def _emit(self, emission: Emission) -> None:
        if self._config.callback_url is None or emission.code not in self._config.push_codes:
            return
        body = {
            "data": emission.data,
            "shop_id": self._config.shop_id,
            "code": emission.code,
            "timestamp": int(self._shop.now()),
        }
        if self._shop.state.push_suspended:
            self._lose(body)
            return
        task = asyncio.get_running_loop().create_task(self._deliver(self._config.callback_url, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, body: dict[str, Any]) -> None:
        raw = msgspec.json.encode(body)
        signature = sign_push(key=self._config.push_key or self._config.partner_key, callback_url=url, raw_body=raw)
        try:
            for wait in (0.0, *WAITS):
                await asyncio.sleep(wait * self._config.push_time_scale)
                if await self._try(url, raw, signature):
                    self.delivered += 1
                    return
        except asyncio.CancelledError:
            self._lose(body)
            raise
        log.warning("simulated_push_lost", code=body["code"])
        self._lose(body)

    async def _try(self, url: str, raw: bytes, signature: str) -> bool:
        """Whether any 2xx with an empty body came in time."""
        headers = {"Authorization": signature, "Content-Type": "application/json"}
        async with self._turn:
            try:
                response = await self._http.post(url, content=raw, headers=headers, timeout=self._config.push_timeout)
                succeeded = response.is_success and not response.content
            except httpx.HTTPError:
                succeeded = False
        self._outcomes.append((self._shop.now(), succeeded))
        self._succeeded += succeeded
        self._judge()
        return succeeded

    def _judge(self) -> None:
        health = self.health()
        if health.pushes >= HEALTH_SAMPLE and health.succeeded * 100 < 30 * health.pushes:
            self._shop.state.push_suspended = True
            self._shop.revision += 1

    def _lose(self, body: dict[str, Any]) -> None:
        message = LostMessage(message_id=self._shop.next_id(), lost_at=self._shop.now(), body=body)
        self._shop.state.lost.append(message)
        self._shop.revision += 1
