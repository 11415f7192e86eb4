"""Connecting a shop: whose keys are kept, and of which shops none are."""

from __future__ import annotations

import base64

import click
import psycopg
import pytest

from domain.connection.commands import OpenConnection
from domain.values import Platform
from infrastructure.platforms.registry import Access
from infrastructure.settings import Settings
from services.cli.connecting import _connect
from services.simulators.shopee.config import SimulatorConfig
from services.usecases.aggregates import ShopConnectedElsewhere
from tests.plugins.shopee_simulator import StartShopee

SHOP = SimulatorConfig()


@pytest.fixture
def settings(database_url: str) -> Settings:
    key = base64.b64encode(bytes(32)).decode()
    return Settings(database_url=database_url, kafka_bootstrap="127.0.0.1:1", encryption_keys=f"k:{key}")


async def connect(settings: Settings, start_shopee: StartShopee, org_id: str, *, shop_id: int = SHOP.shop_id) -> None:
    """Each time with an authorisation that has just been given."""
    config = SimulatorConfig(shop_id=shop_id)
    async with start_shopee(config) as shopee:
        access = Access(
            platform=Platform.SHOPEE,
            host=shopee.url,
            app_id=str(config.partner_id),
            app_key=config.partner_key,
            shop_id=str(shop_id),
            rate=5.0,
        )
        command = OpenConnection(connection_id="SHP", platform=Platform.SHOPEE, shop_id=str(shop_id), label="Toko")
        await _connect(settings, org_id, command, access, code=config.first_code, push_key=None)


def kept(settings: Settings) -> list[tuple[str, int]]:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url) as connection:
        return connection.execute("select org_id, authorisation from shop_secrets order by 1").fetchall()


async def test_a_shop_of_another_organisation_is_refused_and_its_keys_are_not_kept(
    settings: Settings, start_shopee: StartShopee
) -> None:
    await connect(settings, start_shopee, "toko-a")
    with pytest.raises(ShopConnectedElsewhere):
        await connect(settings, start_shopee, "toko-b")
    assert kept(settings) == [("toko-a", 1)]


async def test_connecting_again_replaces_the_keys_and_never_by_those_of_another_shop(
    settings: Settings, start_shopee: StartShopee
) -> None:
    await connect(settings, start_shopee, "toko-a")
    await connect(settings, start_shopee, "toko-a")
    assert kept(settings) == [("toko-a", 2)]
    with pytest.raises(click.ClickException, match="SHP is for shop 14701711; choose another id"):
        await connect(settings, start_shopee, "toko-a", shop_id=5)
    assert kept(settings) == [("toko-a", 2)]
