"""Shops over HTTP: how listings stand, pausing, going on, pushing now, and deciding conflicts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.connection.commands import OpenConnection
from domain.listing.commands import LinkListing, Observe, PostponedValue, PushedValue, RecordPush, SetDesired
from domain.messages import CommandContext
from domain.policies.conflict_policy import ConflictPolicy, Manual
from domain.values import Platform
from infrastructure.kafka import parking
from infrastructure.kafka.records import StoredRecord
from infrastructure.postgres.pool import Pool
from services.app import App
from tests.services.api.conftest import ORG, Project
from tests.services.api.test_products import created

SHOP = "shopee-1"


@pytest.fixture
async def listing(api: httpx.AsyncClient, app: App, project: Project) -> str:
    """A product shown in a shop, in which someone has changed the price while we did, too."""
    product = await created(api)
    now = app.clock.now()
    context = CommandContext(org_id=ORG, actor="tests", now=now, correlation_id=uuid4())
    opened = OpenConnection(connection_id=SHOP, platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await app.connections.handle(context, SHOP, opened)
    _, connection = await app.connections.get(ORG, SHOP)
    identity = await app.listings.open(context, connection, product["id"])
    policy = ConflictPolicy(policy_id="p", version=1, offer=Manual(), stock=Manual(), content=Manual())
    price = "price:BTK-PRG"

    def desired(value: int, seconds: float) -> SetDesired:
        at = now + timedelta(seconds=seconds)
        return SetDesired(values={price: value}, cause="tests", at=at, by="tests")

    for command in (
        LinkListing(external_id="9001", created=True),
        desired(100_000, -30),
        RecordPush(answered_at=now - timedelta(seconds=20), confirmed=(PushedValue(field=price, value=100_000),)),
        desired(110_000, -10),
        Observe(values={price: 90_000}, observed_at=now - timedelta(seconds=5), source="poll", policy=policy),
    ):
        await app.listings.handle(context, identity, command)
    await project()
    return identity


async def test_a_listing_tells_field_by_field_how_it_stands(api: httpx.AsyncClient, listing: str) -> None:
    page = (await api.get("/api/v2/listings", params={"connection_id": SHOP})).json()
    assert [item["id"] for item in page["items"]] == [listing]
    one = (await api.get(f"/api/v2/listings/{listing}")).json()
    field = one["fields"]["price:BTK-PRG"]
    assert (field["desired"], field["shop"], field["confirmed"], field["agrees"]) == (110_000, 90_000, 100_000, False)
    none = await api.get("/api/v2/listings", params={"status": "archived"})
    assert none.json()["items"] == []
    unknown = await api.get("/api/v2/listings/none")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "listing_unknown")


async def test_what_is_in_the_way_is_explained_in_both_languages_with_what_to_do(
    api: httpx.AsyncClient, app: App, listing: str, project: Project
) -> None:
    context = CommandContext(org_id=ORG, actor="tests", now=app.clock.now(), correlation_id=uuid4())
    at = app.clock.now()
    wanted = SetDesired(values={"price:BTK-PRG": 110_000, "stock:BTK-PRG": 5}, cause="tests", at=at, by="tests")
    code = "error_cannt_edit_stock_in_promotion"
    held = PostponedValue(field="stock:BTK-PRG", code=code, reason="promotion", recheck_at=at + timedelta(hours=1))
    for command in (wanted, RecordPush(answered_at=at, held=(held,))):
        await app.listings.handle(context, listing, command)
    await project()
    one = (await api.get(f"/api/v2/listings/{listing}")).json()
    explanation = {
        "id": "Stok ditahan: produk sedang promosi. Tidak perlu tindakan; dikirim lagi otomatis.",
        "en": "Stock held: the product is in a promotion. Nothing to do; it is sent again by itself.",
    }
    assert one["fields"]["stock:BTK-PRG"]["explanation"] == explanation
    assert one["groups"]["stock"]["reasons"] == [
        {"field": "stock:BTK-PRG", "code": code, "message": "promotion", "explanation": explanation}
    ]
    assert one["fields"]["price:BTK-PRG"]["explanation"]["en"].startswith("The value was changed here and in the shop.")
    (item,) = (await api.get("/api/v2/listings")).json()["items"]
    assert item["groups"] == one["groups"]
    (shop,) = (await api.get("/api/v2/sync/status")).json()["connections"]
    assert [(reason["code"], reason["listings"]) for reason in shop["reasons"]] == [("conflict", 1), (code, 1)]
    assert shop["reasons"][1]["explanation"] == explanation


async def test_a_listing_tells_that_the_shop_takes_fewer_pictures_than_the_product_has(
    api: httpx.AsyncClient, app: App, listing: str, project: Project
) -> None:
    images = [{"url": f"https://images.example/{number}.jpg"} for number in range(12)]
    product = listing.partition(".")[2]
    assert (await api.patch(f"/api/v2/products/{product}", json={"images": images})).status_code == 200
    context = CommandContext(org_id=ORG, actor="tests", now=app.clock.now(), correlation_id=uuid4())
    _, connection = await app.connections.get(ORG, SHOP)
    _, state = await app.products.get(ORG, product)
    await app.listings.set_desired(context, state, {}, connection, cause="tests", images_max=9)
    await project()
    fields = (await api.get(f"/api/v2/listings/{listing}")).json()["fields"]
    assert fields["images"]["desired"] == [image["url"] for image in images[:9]]
    assert fields["images"]["note"] == "the shop takes 9 pictures: 3 of the product's 12 are not shown there"
    assert fields["title"]["note"] is None


async def test_a_conflict_is_listed_and_decided(api: httpx.AsyncClient, listing: str, project: Project) -> None:
    conflicts = (await api.get("/api/v2/sync/conflicts")).json()["items"]
    assert [(one["ours"], one["theirs"], one["listing_id"]) for one in conflicts] == [(110_000, 90_000, listing)]
    path = f"/api/v2/sync/conflicts/{conflicts[0]['id']}/resolve"
    headers = {"idempotency-key": "decided"}
    first, again = [await api.post(path, json={"outcome": "theirs"}, headers=headers) for _ in range(2)]
    assert first.status_code == 200, first.text
    assert first.content == again.content
    await project()
    assert (await api.get("/api/v2/sync/conflicts")).json()["items"] == []
    resolved = (await api.get("/api/v2/sync/conflicts", params={"status": "resolved"})).json()["items"]
    assert (resolved[0]["outcome"], resolved[0]["resolved_value"]) == ("theirs", 90_000)
    assert resolved[0]["resolved_by"].startswith("key:")


async def test_an_unknown_conflict_and_a_missing_value_are_told(api: httpx.AsyncClient, listing: str) -> None:
    unknown = await api.post("/api/v2/sync/conflicts/none/resolve", json={"outcome": "ours"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "conflict_unknown")
    (conflict,) = (await api.get("/api/v2/sync/conflicts")).json()["items"]
    valueless = await api.post(f"/api/v2/sync/conflicts/{conflict['id']}/resolve", json={"outcome": "value"})
    assert (valueless.status_code, valueless.json()["code"]) == (422, "conflict_value_missing")


async def test_a_value_that_the_field_cannot_have_settles_nothing(api: httpx.AsyncClient, listing: str) -> None:
    (conflict,) = (await api.get("/api/v2/sync/conflicts")).json()["items"]
    path = f"/api/v2/sync/conflicts/{conflict['id']}/resolve"
    for value in (-5, 0, True, "murah"):
        refused = await api.post(path, json={"outcome": "value", "value": value})
        assert (refused.status_code, refused.json()["code"]) == (422, "conflict_value_invalid")


async def test_a_field_that_was_kept_follows_the_master_again(
    api: httpx.AsyncClient, listing: str, project: Project
) -> None:
    (conflict,) = (await api.get("/api/v2/sync/conflicts")).json()["items"]
    await api.post(f"/api/v2/sync/conflicts/{conflict['id']}/resolve", json={"outcome": "theirs"})
    path = f"/api/v2/listings/{listing}/follow-master"
    followed = await api.post(path, json={"field": "price:BTK-PRG"})
    assert (followed.status_code, followed.json()["id"]) == (200, listing)
    await project()
    field = (await api.get(f"/api/v2/listings/{listing}")).json()["fields"]["price:BTK-PRG"]
    assert (field["override"], field["agrees"]) == (None, False)
    assert (await api.post(path, json={"field": "price:BTK-PRG"})).json()["position"] == 0
    unknown = await api.post(path, json={"field": "colour"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "override_unknown")
    nowhere = await api.post("/api/v2/listings/none/follow-master", json={"field": "title"})
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "listing_unknown")


async def set_aside(pool: Pool, consumer: str, key: str) -> None:
    """As a consumer does with a record that it cannot apply."""
    record = StoredRecord("syncstore.product", 0, 7, key.encode(), b"{}", [])
    async with pool.connection() as connection, connection.transaction():
        await parking.park(connection, consumer, [(record, "KeyError: 'price'")])


async def test_what_is_set_aside_is_told_beside_what_it_holds_up(
    api: httpx.AsyncClient, listing: str, worker_pool: Pool
) -> None:
    product = listing.partition(".")[2]
    paths = (f"/api/v2/listings/{listing}", f"/api/v2/products/{product}")
    only_these = {"set_aside": "true"}
    for path in paths:
        assert (await api.get(path)).json()["set_aside"] == []
    assert (await api.get("/api/v2/listings", params=only_these)).json()["items"] == []
    await set_aside(worker_pool, "react", product)
    await set_aside(worker_pool, "react", "of-someone-else")
    for path in paths:
        (told,) = (await api.get(path)).json()["set_aside"]
        assert (told["by"], told["waiting"]) == ("react", 1)
        assert "technical team" in told["explanation"]["en"]
        assert "tim teknis" in told["explanation"]["id"]
        assert "KeyError" not in str(told), "what went wrong inside is for operators"
    (item,) = (await api.get("/api/v2/listings", params=only_these)).json()["items"]
    assert (item["id"], item["set_aside"][0]["by"]) == (listing, "react")
    (shop,) = (await api.get("/api/v2/sync/status")).json()["connections"]
    assert (shop["listings"], shop["set_aside"]) == (1, 1)
    await parking.drop(worker_pool, "react", product, because="tests", by="tests")
    for path in paths:
        assert (await api.get(path)).json()["set_aside"] == []
    assert (await api.get("/api/v2/sync/status")).json()["connections"][0]["set_aside"] == 0


async def test_a_product_that_no_view_has_come_to_tells_who_set_it_aside(
    api: httpx.AsyncClient, worker_pool: Pool, project: Project
) -> None:
    await project()
    product = await created(api)
    path = f"/api/v2/products/{product['id']}"
    fresh = await api.get(path)
    unmoved = {"if-none-match": fresh.headers["etag"]}
    assert (await api.get(path, headers=unmoved)).status_code == 304
    async with worker_pool.connection() as connection:
        await connection.execute(
            "insert into outbox_parked (position, partition_key, reason) values (%s, %s, 'too large')",
            (product["position"], product["id"]),
        )
    await set_aside(worker_pool, "projections", product["id"])
    late = await api.get(path, params={"min_position": product["position"], "max_wait": 0.05})
    assert late.json()["facts"]["set_aside"] == ["relay", "projections"], "waiting longer would not help"
    assert "technical team" in late.json()["detail"]
    told = await api.get(path, headers=unmoved)
    assert told.status_code == 200, "that nothing moves any more is news"
    assert [part["by"] for part in told.json()["set_aside"]] == ["relay", "projections"]


async def test_a_product_is_paused_in_its_shops_and_goes_on(
    api: httpx.AsyncClient, listing: str, project: Project
) -> None:
    product = listing.partition(".")[2]
    extent = {"product_id": product, "reason": "Stock opname"}
    paused = (await api.post("/api/v2/sync/pause", json=extent)).json()
    assert (paused["told"], paused["unchanged"], paused["refused"]) == (1, 0, [])
    await project()
    assert (await api.get(f"/api/v2/listings/{listing}")).json()["paused"] == "Stock opname"
    assert (await api.post("/api/v2/sync/pause", json=extent)).json()["unchanged"] == 1
    await api.post("/api/v2/sync/resume", json={"listing_id": listing})
    await project()
    assert (await api.get(f"/api/v2/listings/{listing}")).json()["paused"] is None


async def test_a_shop_is_paused_as_a_whole(api: httpx.AsyncClient, app: App, listing: str) -> None:
    paused = await api.post("/api/v2/sync/pause", json={"connection_id": SHOP})
    assert paused.json()["told"] == 1
    _, connection = await app.connections.get(ORG, SHOP)
    assert connection.paused is not None
    unknown = await api.post("/api/v2/sync/pause", json={"connection_id": "none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "connection_unknown")


async def test_triggering_queues_the_listings_of_the_extent(
    api: httpx.AsyncClient, listing: str, worker_pool: Pool
) -> None:
    headers = {"idempotency-key": "now"}
    body = {"connection_id": SHOP}
    first, again = [await api.post("/api/v2/sync/trigger", json=body, headers=headers) for _ in range(2)]
    assert first.status_code == 202, first.text
    assert first.json()["told"] == 1
    assert first.content == again.content
    assert again.headers["idempotency-replayed"] == "true"
    reused = await api.post("/api/v2/sync/trigger", json={"listing_id": listing}, headers=headers)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    async with worker_pool.connection() as connection:
        cursor = await connection.execute("select listing_id, revision from push_queue")
        assert await cursor.fetchall() == [(listing, 1)]
    status = (await api.get("/api/v2/sync/status")).json()
    assert (status["waiting"], status["connections"][0]["connection_id"]) == (1, SHOP)
    assert status["oldest_unsynced_seconds"] >= 0


@pytest.mark.parametrize("command", ["trigger", "pause", "resume"])
async def test_what_is_unknown_is_named_and_nothing_is_done(
    api: httpx.AsyncClient, listing: str, worker_pool: Pool, command: str
) -> None:
    product = listing.partition(".")[2]
    for body, code, named in (
        ({"connection_id": "none"}, "connection_unknown", {"connection_id": "none"}),
        ({"product_id": "gone"}, "product_unknown", {"product_id": "gone"}),
        ({"product_id": product, "connection_id": "none"}, "connection_unknown", {"connection_id": "none"}),
        ({"product_id": "gone", "connection_id": SHOP}, "product_unknown", {"product_id": "gone"}),
        (
            {"product_id": "gone", "connection_id": "none"},
            "connection_unknown",
            {"product_id": "gone", "connection_id": "none"},
        ),
    ):
        for headers in ({}, {"idempotency-key": f"{command} {body}".replace(" ", "-")}):
            answer = await api.post(f"/api/v2/sync/{command}", json=body, headers=headers)
            problem = answer.json()
            assert (answer.status_code, problem.get("code"), problem.get("facts")) == (404, code, named)
            assert all(value in problem["detail"] for value in named.values())
    async with worker_pool.connection() as connection:
        cursor = await connection.execute("select count(*) from push_queue")
        assert await cursor.fetchone() == (0,)
    assert (await api.get(f"/api/v2/listings/{listing}")).json()["paused"] is None


@pytest.mark.parametrize("extent", [{}, {"listing_id": "a", "product_id": "b"}])
async def test_an_extent_must_be_said_once(api: httpx.AsyncClient, extent: dict[str, Any]) -> None:
    answer = await api.post("/api/v2/sync/pause", json=extent)
    assert (answer.status_code, answer.json()["code"]) == (422, "body_invalid")
