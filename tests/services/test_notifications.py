"""Notifications over raw bytes: whose they are, whether they are genuine, and that each is kept once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from domain.values import Platform
from infrastructure.platforms.shopee.signing import sign_push
from infrastructure.postgres.pool import APP, Pool, open_pool
from infrastructure.security.sealing import Sealer
from infrastructure.shops import inbox, lanes
from infrastructure.shops.secrets import SecretsStore, ShopSecrets
from services.notifications import NotGenuine, Notifications, NotReadable, ShopUnknown
from tests.support.round_trips import round_trips

ORG, SHOP = "toko-batik", "14701711"
PUBLIC = "https://sync.toko.example"
URL = f"{PUBLIC}/api/webhooks/shopee"
APP_KEY, PUSH_KEY = "application-key", "push-key"
BODY = b'{ "code":22, "shop_id":14701711, "timestamp":1700000000, "data":{"item_id":900} , "msg_id":"m-1"}'


def signed(body: bytes = BODY, *, key: str = APP_KEY, url: str = URL) -> str:
    return sign_push(key=key, callback_url=url, raw_body=body)


def secrets(push_key: str | None = None) -> ShopSecrets:
    return ShopSecrets(
        platform=Platform.SHOPEE,
        host="https://shop.example",
        app_id="7",
        app_key=APP_KEY,
        shop_id=SHOP,
        push_key=push_key,
        access_token="access",
        refresh_token="refresh",
        access_expires_at=0.0,
    )


@pytest.fixture
async def notifications(app_pool: Pool, worker_pool: Pool) -> Notifications:
    store = SecretsStore(app_pool, Sealer({"k": bytes(32)}))
    async with worker_pool.connection() as connection:
        for name, shop in (("SHP", SHOP), ("BARE", "2")):
            await lanes.open_lane(connection, org_id=ORG, connection_id=name, platform="shopee", shop_id=shop)
    await store.write(ORG, "SHP", secrets(PUSH_KEY))
    return Notifications(app_pool, store, PUBLIC)


async def kept(pool: Pool) -> list[bytes]:
    async with pool.connection() as connection:
        return [body for _, body in await inbox.waiting(connection, org_id=ORG, connection_id="SHP")]


async def test_a_genuine_one_is_kept_once_byte_for_byte(notifications: Notifications, worker_pool: Pool) -> None:
    assert await notifications.accept(Platform.SHOPEE, BODY, signed())
    assert not await notifications.accept(Platform.SHOPEE, BODY, signed())
    assert await kept(worker_pool) == [BODY]


@pytest.mark.parametrize("key", [APP_KEY, PUSH_KEY])
async def test_the_applications_key_and_the_push_key_both_fit(
    notifications: Notifications, worker_pool: Pool, key: str
) -> None:
    assert await notifications.accept(Platform.SHOPEE, BODY, signed(key=key))
    assert await kept(worker_pool) == [BODY]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "nonsense",
        "ünsigniert",
        signed().upper(),
        signed(key="another-key"),
        signed(url="http://127.0.0.1:8000/api/webhooks/shopee"),
        signed(url=f"{URL}/"),
        signed(BODY.replace(b" ", b"")),
    ],
)
async def test_another_key_address_or_spelling_of_the_body_does_not_fit(
    notifications: Notifications, worker_pool: Pool, signature: str
) -> None:
    with pytest.raises(NotGenuine):
        await notifications.accept(Platform.SHOPEE, BODY, signature)
    assert await kept(worker_pool) == []


async def test_new_keys_fit_at_once_and_old_ones_no_longer_when_new_ones_have_been_used(
    notifications: Notifications, worker_pool: Pool
) -> None:
    first, second, third = (BODY.replace(b"m-1", b"m-%d" % number) for number in range(3))
    await notifications.accept(Platform.SHOPEE, first, signed(first, key=PUSH_KEY))
    await notifications.secrets.write(ORG, "SHP", secrets("renewed"))
    await notifications.accept(Platform.SHOPEE, second, signed(second, key="renewed"))
    with pytest.raises(NotGenuine):
        await notifications.accept(Platform.SHOPEE, third, signed(third, key=PUSH_KEY))
    assert await kept(worker_pool) == [first, second]


async def test_one_of_a_known_shop_is_kept_in_one_round_trip(
    database_url: str, notifications: Notifications, tmp_path: Path
) -> None:
    bodies = [BODY.replace(b"m-1", b"m-%d" % number) for number in range(10)]
    async with open_pool(database_url, role=APP, name="tests", max_size=1) as pool:
        lonely = replace(notifications, pool=pool)
        for body in bodies[1:]:  # statements are prepared, the shop is known
            await lonely.accept(Platform.SHOPEE, body, signed(body))
        assert await round_trips(pool, tmp_path, lonely.accept(Platform.SHOPEE, bodies[0], signed(bodies[0]))) == 1


async def test_a_shop_that_nobody_connected_is_unknown(notifications: Notifications) -> None:
    body = BODY.replace(SHOP.encode(), b"3")
    with pytest.raises(ShopUnknown, match="shop 3"):
        await notifications.accept(Platform.SHOPEE, body, signed(body))


async def test_a_shop_whose_keys_are_not_here_is_unknown_as_well(notifications: Notifications) -> None:
    body = BODY.replace(SHOP.encode(), b"2")
    with pytest.raises(ShopUnknown, match="no keys"):
        await notifications.accept(Platform.SHOPEE, body, signed(body))


@pytest.mark.parametrize("body", [b'{"code":0,"data":{}}', b"{}", b'{"shop_id":null,"code":0}'])
async def test_a_registration_check_names_no_shop_and_leaves_nothing(
    notifications: Notifications, worker_pool: Pool, body: bytes
) -> None:
    assert not await notifications.accept(Platform.SHOPEE, body, "")
    assert await kept(worker_pool) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"17",
        b"\xff\xfe",
        b'{"shop_id":{"a":1}}',
        b'{"shop_id":"\\u0000"}',
        b'{"shop_id":1.5}',
        b'{"shop_id":1',
        b'{"a":' + b"[" * 100_000,
        b'{"shop_id":' + b"9" * 10_000 + b"}",
    ],
)
async def test_what_is_no_notification_is_said_to_be_none(notifications: Notifications, body: bytes) -> None:
    with pytest.raises((NotReadable, ShopUnknown)):
        await notifications.accept(Platform.SHOPEE, body, "")


async def test_a_genuine_one_that_cannot_be_read_is_said_to_be_unreadable(notifications: Notifications) -> None:
    body = b'{"shop_id":14701711,"code":"x"}'
    with pytest.raises(NotReadable):
        await notifications.accept(Platform.SHOPEE, body, signed(body))
