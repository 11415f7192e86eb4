from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import (
    Connector,
    ExternalListing,
    ListedVariant,
    ListingStatus,
    PlatformError,
)
from infrastructure.platforms.in_memory import InMemoryConnector
from infrastructure.platforms.in_memory_shop import InMemoryShop
from services.simulators.shopee.seed import seed
from services.simulators.shopee.shop import Item, Model
from tests.contracts.connector_contract import ConnectorContract, ShopHands
from tests.plugins.shopee_simulator import RunningShopee

THROTTLED = PlatformError(
    error_class=ErrorClass.RATE, code="error_rate_limit", message="Too many requests.", retry_after=60.0
)


class InMemoryHands:
    def __init__(self) -> None:
        self._shop = InMemoryShop(lambda: datetime.now(UTC))
        self.connector: Connector = InMemoryConnector(self._shop)

    def seed(self, count: int) -> None:
        for _ in range(count):
            external_id = self._shop.next_id()
            self._shop.put(
                ExternalListing(
                    external_id=external_id,
                    sku=f"SIM-{external_id}",
                    title=f"Kopi Gayo {external_id}",
                    description="Biji kopi arabika dari Gayo.",
                    status=ListingStatus.LIVE,
                    images=(),
                    weight_kg=Decimal("0.25"),
                    category_id="100031",
                    updated_at=self._shop.now(),
                    variants=(ListedVariant(external_id=None, sku=f"SIM-{external_id}", price=85_000, stock=10),),
                )
            )

    def lock(self, external_id: str, sku: str, field: str) -> None:
        self._shop.locked.add((field, sku))

    def reserve(self, external_id: str, sku: str, quantity: int) -> None:
        self._shop.reserve(external_id, sku, quantity)

    def change_price(self, external_id: str, sku: str, price: int) -> None:
        self._shop.change_variant(external_id, sku, price=price)

    def delete(self, external_id: str) -> None:
        self._shop.put(replace(self._shop.listings[external_id], status=ListingStatus.DELETED))

    def throttle_next(self) -> None:
        self._shop.fail_next(THROTTLED)

    def rest(self, seconds: float) -> None:
        """This shop holds no grudge."""


class ShopeeHands:
    """Acts in the simulator's state, as its seller pages do; the connector speaks to it over HTTP."""

    def __init__(self, running: RunningShopee, connector: Connector) -> None:
        self._running = running
        self.connector = connector

    def _find(self, external_id: str, sku: str) -> tuple[Item, Model]:
        item = self._running.shop.state.items[int(external_id)]
        (model,) = [model for model in item.models if model.sku == sku]
        return item, model

    def seed(self, count: int) -> None:
        seed(self._running.shop, count)

    def lock(self, external_id: str, sku: str, field: str) -> None:
        _, model = self._find(external_id, sku)
        if field == "price":
            model.price_locked = True
        else:
            model.stock_locked = True

    def reserve(self, external_id: str, sku: str, quantity: int) -> None:
        self._running.shop.place_order(*self._find(external_id, sku), quantity)

    def change_price(self, external_id: str, sku: str, price: int) -> None:
        self._running.shop.set_price(*self._find(external_id, sku), price)

    def delete(self, external_id: str) -> None:
        self._running.shop.set_status(self._running.shop.state.items[int(external_id)], "SELLER_DELETE")

    def throttle_next(self) -> None:
        self._running.refuse_next(THROTTLED)

    def rest(self, seconds: float) -> None:
        self._running.clock.ahead += seconds


class TestInMemoryConnector(ConnectorContract):
    @pytest.fixture
    def shop(self) -> ShopHands:
        return InMemoryHands()


class TestShopeeConnector(ConnectorContract):
    """Against the simulator, over real HTTP."""

    @pytest.fixture
    async def shop(self, shopee: RunningShopee) -> ShopHands:
        return ShopeeHands(shopee, await shopee.connector())
