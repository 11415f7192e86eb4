"""What a shop sends over HTTP, and what it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from infrastructure.platforms.shopee.signing import sign_push
from infrastructure.postgres.pool import Pool
from infrastructure.security.sealing import Sealer
from infrastructure.shops import inbox, lanes
from infrastructure.shops.secrets import SecretsStore
from services.api.application import create_api
from services.app import App
from services.health import run_checks, secrets_check
from services.notifications import Notifications
from tests.services.test_notifications import APP_KEY, BODY, ORG, PUBLIC, PUSH_KEY, SHOP, URL, secrets, signed


@pytest.fixture
async def shop(app: App, app_pool: Pool, worker_pool: Pool) -> AsyncIterator[httpx.AsyncClient]:
    """The platform, which knows this installation under its public address and asks without a key of ours."""
    store = SecretsStore(app_pool, Sealer({"k": bytes(32)}))
    async with worker_pool.connection() as connection:
        await lanes.open_lane(connection, org_id=ORG, connection_id="SHP", platform="shopee", shop_id=SHOP)
    await store.write(ORG, "SHP", secrets(PUSH_KEY))
    asgi: Any = create_api(replace(app, notifications=Notifications(app_pool, store, PUBLIC)))
    transport = httpx.ASGITransport(asgi, client=("203.0.113.9", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.4:8000") as client:
        yield client


async def send(
    shop: httpx.AsyncClient, body: bytes = BODY, signature: str | None = None, platform: str = "shopee"
) -> httpx.Response:
    headers = {"content-type": "application/json", "authorization": signed(body) if signature is None else signature}
    return await shop.post(f"/api/webhooks/{platform}", content=body, headers=headers)


async def kept(pool: Pool) -> list[bytes]:
    async with pool.connection() as connection:
        return [body for _, body in await inbox.waiting(connection, org_id=ORG, connection_id="SHP")]


async def test_a_genuine_one_is_kept_once_and_answered_with_an_empty_200(
    shop: httpx.AsyncClient, worker_pool: Pool
) -> None:
    first, again = await send(shop), await send(shop)
    assert [(answer.status_code, answer.content) for answer in (first, again)] == [(200, b""), (200, b"")]
    assert await kept(worker_pool) == [BODY]


async def test_the_push_key_fits_as_well(shop: httpx.AsyncClient, worker_pool: Pool) -> None:
    answer = await send(shop, signature=signed(key=PUSH_KEY))
    assert (answer.status_code, await kept(worker_pool)) == (200, [BODY])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "Bearer nonsense",
        signed(key="another-key"),
        sign_push(key=APP_KEY, callback_url="http://10.0.0.4:8000/api/webhooks/shopee", raw_body=BODY),
        sign_push(key=APP_KEY, callback_url=URL, raw_body=BODY.replace(b" ", b"")),
    ],
)
async def test_a_signature_that_does_not_fit_is_401(shop: httpx.AsyncClient, worker_pool: Pool, signature: str) -> None:
    answer = await send(shop, signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (401, "notification_not_genuine")
    assert await kept(worker_pool) == []


async def test_a_notification_without_any_signature_is_401(shop: httpx.AsyncClient) -> None:
    assert (await shop.post("/api/webhooks/shopee", content=BODY)).status_code == 401


async def test_an_unknown_shop_is_404(shop: httpx.AsyncClient) -> None:
    answer = await send(shop, BODY.replace(SHOP.encode(), b"3"))
    assert (answer.status_code, answer.json()["code"]) == (404, "shop_unknown")


@pytest.mark.parametrize("keys", [{"k": bytes(31) + b"1"}, {"another": bytes(32)}])
async def test_keys_that_do_not_open_the_shops_secrets_are_503_and_told_and_what_is_sent_again_is_kept(
    app: App, shop: httpx.AsyncClient, app_pool: Pool, worker_pool: Pool, keys: dict[str, bytes]
) -> None:
    store = SecretsStore(app_pool, Sealer(keys))
    checks = {"secrets": secrets_check(store)}
    asgi: Any = create_api(
        replace(app, notifications=Notifications(app_pool, store, PUBLIC), checks=checks, metrics=CollectorRegistry())
    )
    transport = httpx.ASGITransport(asgi, client=("203.0.113.9", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.4:8000") as wrong:
        with capture_logs() as logs:
            answer = await send(wrong)
        assert (answer.status_code, answer.json()["code"]) == (503, "secrets_unreadable")
        assert answer.headers["retry-after"] == "1"
        (entry,) = (entry for entry in logs if entry["log_level"] == "error")
        assert (entry["setting"], entry["connection_id"]) == ("SYNCSTORE_ENCRYPTION_KEYS", "SHP")
        ready = await wrong.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert "SYNCSTORE_ENCRYPTION_KEYS" in ready.json()["checks"]["secrets"]["detail"]
    assert await kept(worker_pool) == []
    assert (await send(shop)).status_code == 200
    assert await kept(worker_pool) == [BODY]


async def test_keys_that_open_every_shops_secrets_are_well(app_pool: Pool) -> None:
    old, new = bytes(32), bytes(31) + b"1"
    for number, keys in enumerate(({"old": old}, {"new": new, "old": old}, {"new": new})):
        await SecretsStore(app_pool, Sealer(keys)).write(f"toko-{number}", "SHP", secrets())
    both = await run_checks({"secrets": secrets_check(SecretsStore(app_pool, Sealer({"new": new, "old": old})))})
    assert both["secrets"].status == "ok"
    one = await run_checks({"secrets": secrets_check(SecretsStore(app_pool, Sealer({"new": new})))})
    assert one["secrets"].status == "degraded"
    swapped = await run_checks({"secrets": secrets_check(SecretsStore(app_pool, Sealer({"new": old, "old": old})))})
    assert swapped["secrets"].status == "degraded"


@pytest.mark.parametrize("platform", ["myspace", "lazada", "SHOPEE"])
async def test_an_unknown_platform_is_404(shop: httpx.AsyncClient, platform: str) -> None:
    answer = await send(shop, platform=platform)
    assert (answer.status_code, answer.json()["code"]) == (404, "platform_unknown")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff", b'{"shop_id":"\\u0000"}', b'{"a":' + b"[" * 9_000])
async def test_nonsense_is_400(shop: httpx.AsyncClient, body: bytes) -> None:
    answer = await send(shop, body, signature="x")
    assert (answer.status_code, answer.json()["code"]) == (400, "notification_unreadable")


async def test_more_than_a_mebibyte_is_413_and_not_kept(shop: httpx.AsyncClient, worker_pool: Pool) -> None:
    body = BODY + b" " * (1024 * 1024)
    answer = await send(shop, body)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert await kept(worker_pool) == []


async def test_a_mebibyte_that_comes_without_its_length_is_413(shop: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65_536

    answer = await shop.post("/api/webhooks/shopee", content=pieces(), headers={"authorization": "x"})
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"{}", b'{"code":0,"data":{}}'])
async def test_a_registration_check_is_answered_with_an_empty_200(
    shop: httpx.AsyncClient, worker_pool: Pool, body: bytes
) -> None:
    answer = await send(shop, body, signature="")
    assert (answer.status_code, answer.content) == (200, b"")
    assert await kept(worker_pool) == []


async def test_an_installation_that_takes_no_notifications_knows_no_platform(http: httpx.AsyncClient) -> None:
    answer = await send(http)
    assert (answer.status_code, answer.json()["code"]) == (404, "platform_unknown")
