from datetime import UTC, datetime

import httpx
import pytest

from domain.values import Platform
from infrastructure.platforms.registry import Access, PlatformNotSupported, Surroundings, connect
from infrastructure.platforms.tokens import MemoryVault, Tokens
from services.simulators.images import DrawnImages
from services.simulators.shopee.seed import seed
from tests.plugins.shopee_simulator import RunningShopee

UNUSED = Tokens(access_token="a", refresh_token="r", expires_at=datetime(2026, 1, 1, tzinfo=UTC))


def access(platform: Platform, host: str = "https://shop.example") -> Access:
    return Access(platform=platform, host=host, app_id="2001887", app_key="a secret key", shop_id="14701711")


def surroundings(http: httpx.AsyncClient) -> Surroundings:
    return Surroundings(http=http, images=DrawnImages(), now=lambda: datetime.now(UTC))


async def test_a_connection_to_shopee_speaks_to_its_shop(shopee: RunningShopee) -> None:
    seed(shopee.shop, 3)
    config = shopee.simulator.config
    vault = MemoryVault(await shopee.transport.spend_code(config.first_code))
    reach = Access(
        platform=Platform.SHOPEE,
        host=shopee.url,
        app_id=str(config.partner_id),
        app_key=config.partner_key,
        shop_id=str(config.shop_id),
    )
    connector = connect(reach, vault, surroundings(shopee.http))
    assert (await connector.list_listings()).total == 3
    assert connector.capabilities.name == Platform.SHOPEE


async def test_a_platform_without_a_connector_is_named() -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(PlatformNotSupported, match="no connector for lazada; there is one for shopee"):
            connect(access(Platform.LAZADA), MemoryVault(UNUSED), surroundings(http))


def test_how_to_reach_a_shop_does_not_show_the_key() -> None:
    assert "secret" not in repr(access(Platform.SHOPEE))
