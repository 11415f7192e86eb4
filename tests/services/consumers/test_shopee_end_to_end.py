"""From an edit to a simulated Shopee over HTTP, and back by its notifications."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvicorn

from domain.listing.events import DriftFound, FieldGroup, PushConfirmed, PushHeld, PushRefused, ShadowObserved
from domain.listing.state import Linked
from domain.listing.status import Status, statuses
from domain.policies.retry import ErrorClass
from domain.values import Platform
from infrastructure.postgres.pool import Pool
from infrastructure.security.sealing import Sealer
from infrastructure.shops.secrets import SecretsStore, ShopSecrets
from services.api.application import create_api
from services.consumers.lane_keeper import end
from services.notifications import Notifications
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.faults import Fault
from services.simulators.shopee.shop import Item, Model
from tests.plugins.shopee_simulator import RunningShopee, StartShopee, until
from tests.services.api.conftest import app_over
from tests.services.consumers.stage import ORG, Stage, sizes

SIX = sizes("XS", "S", "M", "L", "XL", "XXL")


@pytest.fixture
async def shopee_stage(stage: Stage, shopee: RunningShopee) -> Stage:
    stage.connector = await shopee.connector()
    return stage


def the_item(shopee: RunningShopee) -> Item:
    (item,) = shopee.shop.listed()
    return item


def model(shopee: RunningShopee, sku: str) -> Model:
    (found,) = [model for model in the_item(shopee).models if model.sku == sku]
    return found


async def listed(stage: Stage, shopee: RunningShopee) -> Item:
    await stage.connect(shop_id=str(shopee.simulator.config.shop_id), categories=(("", "100017"),))
    await stage.create(variants=SIX)
    for variant in SIX:
        await stage.receive(variant.sku, 9)
    await stage.settle()
    return the_item(shopee)


async def test_a_product_is_made_with_its_variants_and_an_edit_reaches_all_of_them(
    shopee_stage: Stage, shopee: RunningShopee
) -> None:
    stage = shopee_stage
    item = await listed(stage, shopee)
    assert {one.sku: (one.price, one.stock) for one in item.models} == {one.sku: (228_850, 9) for one in SIX}
    link = (await stage.listing()).link
    assert isinstance(link, Linked)
    assert link.external_id == str(item.item_id)
    assert {variant.sku for variant in link.variants} == {variant.sku for variant in SIX}
    await stage.change(base_price=150_000, name="Kemeja Batik Kawung Pria")
    await stage.settle()
    assert ({one.price for one in the_item(shopee).models}, the_item(shopee).name) == (
        {172_500},
        "Kemeja Batik Kawung Pria",
    )
    assert {group.status for group in statuses(await stage.listing()).values()} == {Status.SYNCED}


async def test_a_create_whose_answer_is_lost_is_taken_up_and_not_doubled(
    shopee_stage: Stage, shopee: RunningShopee
) -> None:
    stage = shopee_stage
    shopee.fail(Fault(kind="lost_answer", path="add_item"))
    await listed_in_turns(stage, shopee)
    assert {one.sku for one in the_item(shopee).models} == {variant.sku for variant in SIX}
    assert {group.status for group in statuses(await stage.listing()).values()} == {Status.SYNCED}


async def listed_in_turns(stage: Stage, shopee: RunningShopee) -> None:
    """As `listed`, with the waits between attempts passed over."""
    await stage.connect(shop_id=str(shopee.simulator.config.shop_id), categories=(("", "100017"),))
    await stage.create(variants=SIX)
    for variant in SIX:
        await stage.receive(variant.sku, 9)
    await stage.settle()
    for _ in range(5):
        stage.clock.wait(60)
        await stage.settle()


async def test_five_of_six_variants_are_confirmed_and_the_sixth_is_refused(
    shopee_stage: Stage, shopee: RunningShopee
) -> None:
    stage = shopee_stage
    item = await listed(stage, shopee)
    shopee.shop.place_order(item, model(shopee, "BTK-XL"), 8)
    for variant in SIX:
        await stage.stock.adjust(stage.context(), variant.sku, "JKT", -4)
    await stage.settle()
    confirmed = (await stage.told(PushConfirmed))[-1]
    assert len(confirmed.changes) == 5
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.error_class) == (("stock:BTK-XL",), ErrorClass.VALID)
    assert refused.message
    assert {one.sku: one.stock for one in the_item(shopee).models} == {
        variant.sku: 9 if variant.sku == "BTK-XL" else 5 for variant in SIX
    }


async def test_a_price_in_a_promotion_is_held_and_goes_when_it_is_over(
    shopee_stage: Stage, shopee: RunningShopee
) -> None:
    stage = shopee_stage
    await listed(stage, shopee)
    model(shopee, "BTK-M").price_locked = True
    await stage.change(base_price=150_000)
    await stage.settle()
    (held,) = await stage.told(PushHeld)
    assert held.fields == ("price:BTK-M",)
    assert await stage.told(PushRefused) == []
    assert statuses(await stage.listing())[FieldGroup.OFFER].status is Status.PARTIAL
    model(shopee, "BTK-M").price_locked = False
    stage.clock.wait(901)
    await stage.settle()
    assert {one.price for one in the_item(shopee).models} == {172_500}


async def test_a_broken_shop_is_tried_again(shopee_stage: Stage, shopee: RunningShopee) -> None:
    stage = shopee_stage
    await listed(stage, shopee)
    shopee.fail(Fault(kind="http_500", count=20, path="update_price"))
    await stage.change(base_price=150_000)
    await stage.settle()
    (row,) = await stage.queued()
    assert row.attempts == 1
    shopee.simulator.api.faults.faults.clear()
    stage.clock.wait(60)
    await stage.settle()
    assert {one.price for one in the_item(shopee).models} == {172_500}


async def test_an_authorisation_that_is_gone_pauses_the_connection_for_a_person(
    shopee_stage: Stage, shopee: RunningShopee
) -> None:
    stage = shopee_stage
    await listed(stage, shopee)
    shopee.shop.state.access_tokens.clear()
    shopee.shop.state.refresh_token = None
    await stage.change(base_price=150_000)
    await stage.settle()
    shop = await stage.connection()
    assert shop.paused is not None
    assert shop.paused.needs_person
    assert await stage.told(PushRefused) == []
    assert len(await stage.queued()) == 1


class Serving:
    """The API on a port of its own, which the shop has been told."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    @asynccontextmanager
    async def api(self, pool: Pool, secrets: SecretsStore) -> AsyncIterator[None]:
        asgi: Any = create_api(replace(app_over(pool), notifications=Notifications(pool, secrets, self.url)))
        server = uvicorn.Server(uvicorn.Config(asgi, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[self.socket]))
        try:
            await until(lambda: server.started)
            yield
        finally:
            server.should_exit = True
            await serving
            self.socket.close()


async def test_a_sellers_edit_comes_by_notification_and_ours_is_pushed_again_without_an_echo(
    stage: Stage, app_pool: Pool, start_shopee: StartShopee
) -> None:
    here = Serving()
    config = SimulatorConfig(callback_url=f"{here.url}/api/webhooks/shopee", push_key="push-key")
    secrets = SecretsStore(app_pool, Sealer({"k": bytes(32)}))
    async with start_shopee(config) as shopee, here.api(app_pool, secrets):
        stage.connector = await shopee.connector()
        await secrets.write(ORG, "SHP", keys_of(shopee))
        item = await listed(stage, shopee)
        watching = asyncio.create_task((await stage.watch()).run())
        try:
            await until(lambda: watched(stage))
            shopee.shop.set_price(item, model(shopee, "BTK-S"), 99_000)
            await until(lambda: drifted(stage))
            (drift,) = await stage.told(DriftFound)
            assert (drift.field, drift.theirs, drift.outcome) == ("price:BTK-S", 99_000, "ours")
            await stage.settle()
            assert model(shopee, "BTK-S").price == 228_850
            await until(lambda: shopee.simulator.pushes.waiting == 0)
            await until(lambda: done_with(stage))
        finally:
            await end([watching])
        assert shopee.simulator.pushes.delivered == 2
        assert (len(await stage.told(ShadowObserved)), len(await stage.told(DriftFound))) == (1, 1)


def keys_of(shopee: RunningShopee) -> ShopSecrets:
    config = shopee.simulator.config
    return ShopSecrets(
        platform=Platform.SHOPEE,
        host=shopee.url,
        app_id=str(config.partner_id),
        app_key=config.partner_key,
        shop_id=str(config.shop_id),
        push_key=config.push_key,
        access_token="access",
        refresh_token="refresh",
        access_expires_at=0.0,
    )


async def watched(stage: Stage) -> bool:
    return (await stage.lane()).watched_until is not None


async def drifted(stage: Stage) -> bool:
    return bool(await stage.told(DriftFound))


async def done_with(stage: Stage) -> bool:
    async with stage.pool.connection() as connection:
        cursor = await connection.execute("select count(*) from shop_inbox where handled_at is null")
        return await cursor.fetchone() == (0,)
