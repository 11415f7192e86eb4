"""A simulated Shopee on a free port, with a clock that tests can move."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from infrastructure.platforms.connector import PlatformError
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.pace import Pace
from infrastructure.platforms.shopee.client import ShopeeConnector
from infrastructure.platforms.shopee.transport import ShopeeAccount, ShopeeSession, ShopeeTransport
from infrastructure.platforms.tokens import MemoryVault, RotatingTokens
from services.simulators.images import DrawnImages
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.faults import Fault
from services.simulators.shopee.server import create_app
from services.simulators.shopee.shop import Shop
from services.simulators.shopee.simulator import Simulator

pytest.register_assert_rewrite("tests.contracts.connector_contract")


class MovableClock:
    """Real time, moved on by what tests ask for."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._stopped_at: float | None = None

    def stop(self) -> None:
        self._stopped_at = time.time()

    def seconds(self) -> float:
        return (time.time() if self._stopped_at is None else self._stopped_at) + self.ahead

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    async def sleep(self, seconds: float) -> None:
        self.ahead += seconds
        await asyncio.sleep(0)


class RunningShopee:
    def __init__(self, simulator: Simulator, url: str, clock: MovableClock, http: httpx.AsyncClient) -> None:
        self.simulator = simulator
        self.url = url
        self.clock = clock
        self.http = http
        self.transport = self.transport_with()

    @property
    def shop(self) -> Shop:
        return self.simulator.shop

    def transport_with(self, partner_key: str | None = None) -> ShopeeTransport:
        config = self.simulator.config
        account = ShopeeAccount(
            host=self.url,
            partner_id=config.partner_id,
            partner_key=partner_key or config.partner_key,
            shop_id=config.shop_id,
        )
        return ShopeeTransport(account, self.http, self.clock.now)

    async def connector(self, images: ImageSource | None = None) -> ShopeeConnector:
        """A connector with the shop's first tokens; the code for them works once."""
        vault = MemoryVault(await self.transport.spend_code(self.simulator.config.first_code))
        tokens = RotatingTokens(vault, self.transport.spend_refresh_token, self.clock.now)
        pace = Pace(10_000, burst=1000, now=self.clock.seconds, sleep=self.clock.sleep)
        session = ShopeeSession(self.transport, tokens, pace)
        return ShopeeConnector(session, images or DrawnImages(), self.clock.now, sleep=self.clock.sleep)

    def fail(self, fault: Fault) -> None:
        self.simulator.api.faults.faults.append(fault)

    def refuse_next(self, error: PlatformError) -> None:
        self.fail(Fault(kind="error", error=error.code, message=error.message))


StartShopee = Callable[[SimulatorConfig], AbstractAsyncContextManager[RunningShopee]]


@asynccontextmanager
async def running_shopee(config: SimulatorConfig) -> AsyncIterator[RunningShopee]:
    clock = MovableClock()
    app = create_app(config, clock.seconds)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as http:
            yield RunningShopee(app.state.simulator, f"http://127.0.0.1:{port}", clock, http)
    finally:
        server.should_exit = True
        await serving


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait for a condition; fails after the given seconds."""
    async with asyncio.timeout(seconds):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def start_shopee() -> StartShopee:
    return running_shopee


@pytest.fixture
async def shopee() -> AsyncIterator[RunningShopee]:
    async with running_shopee(SimulatorConfig()) as running:
        yield running
