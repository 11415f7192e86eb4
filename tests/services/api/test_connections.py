"""Shops over HTTP: which there are, and their rules, policies and categories."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.connection.commands import OpenConnection, PauseConnection
from domain.messages import CommandContext
from domain.values import Platform
from services.app import App
from tests.services.api.conftest import ORG
from tests.services.api.test_products import created

SHOP = "/api/v2/connections/SHP-ID-01"
STACK = {"strategy": {"type": "fee_stack"}}


@pytest.fixture
async def shop(app: App) -> str:
    command = OpenConnection(connection_id="SHP-ID-01", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await app.connections.handle(told(app), "SHP-ID-01", command)
    return "SHP-ID-01"


def told(app: App, org_id: str = ORG) -> CommandContext:
    return CommandContext(org_id=org_id, actor="tests", now=app.clock.now(), correlation_id=uuid4())


async def test_shops_are_listed_with_rule_and_policy_and_without_secrets(
    api: httpx.AsyncClient, app: App, shop: str
) -> None:
    await app.connections.handle(told(app), shop, PauseConnection(reason="authorisation lost", needs_person=True))
    elsewhere = OpenConnection(connection_id="OTHER", platform=Platform.SHOPEE, shop_id="78", label="Toko lain")
    await app.connections.handle(told(app, "toko-lain"), "OTHER", elsewhere)
    (one,) = (await api.get("/api/v2/connections")).json()["items"]
    assert (one["id"], one["platform"], one["shop_id"], one["version"]) == (shop, "shopee", "77", 2)
    assert (one["state"], one["paused"], one["needs_person"]) == ("paused", "authorisation lost", True)
    assert one["pricing_rule"]["strategy"] == {"type": "markup", "factor": "1.15"}
    assert one["conflict_policy"]["offer"] == {"type": "master_wins"}
    answer = await api.get(SHOP)
    assert (answer.json(), answer.headers["etag"]) == (one, '"2"')
    unknown = await api.get("/api/v2/connections/OTHER")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "connection_unknown")


async def test_a_rule_is_changed_once_under_its_next_version(api: httpx.AsyncClient, shop: str) -> None:
    headers = {"idempotency-key": "rule-1", "if-match": '"1"'}
    first = await api.put(f"{SHOP}/pricing-rule", json=STACK, headers=headers)
    assert (first.status_code, first.json()["id"], first.json()["version"]) == (200, shop, 2)
    again = await api.put(f"{SHOP}/pricing-rule", json=STACK, headers=headers)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    rule = (await api.get(SHOP)).json()["pricing_rule"]
    assert (rule["version"], rule["strategy"]["type"], rule["fees"]["platform_percent"]) == (2, "fee_stack", "15")
    same = await api.put(f"{SHOP}/pricing-rule", json=STACK)
    assert same.json() == {"id": shop, "version": 2, "position": 0}
    stale = await api.put(f"{SHOP}/pricing-rule", json={"strategy": {"type": "gross_up"}}, headers={"if-match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"strategy": {"type": "markup", "factor": 0}}, "pricing_rule_invalid"),
        ({"strategy": {"type": "markup", "factor": "NaN"}}, "pricing_rule_invalid"),
        ({"strategy": {"type": "markup", "factor": "1.2"}, "ending": 1000}, "pricing_rule_invalid"),
        ({"strategy": {"type": "fee_stack"}, "fees": None}, "pricing_rule_invalid"),
        ({"strategy": {"type": "fee_stack", "minimun": 5}}, "body_invalid"),
        ({"strategy": {"type": "guess"}}, "body_invalid"),
        ({"strategy": {"type": "markup"}}, "body_invalid"),
        ({}, "body_invalid"),
    ],
)
async def test_a_rule_that_cannot_be_calculated_with_is_refused(
    api: httpx.AsyncClient, shop: str, body: Any, code: str
) -> None:
    for refused in (
        await api.put(f"{SHOP}/pricing-rule", json=body),
        await api.post(f"{SHOP}/pricing-rule/preview", json=body),
    ):
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (await api.get(SHOP)).json()["version"] == 1


async def test_a_preview_shows_what_another_rule_would_change_and_changes_nothing(
    api: httpx.AsyncClient, shop: str
) -> None:
    prices = {"SMB-BWG-150": 17_990, "FRM-5IN": 150_000, "STK-PIN": 500}
    for sku, price in prices.items():
        await created(api, sku=sku, name=sku, base_price=price)
    page = (await api.post(f"{SHOP}/pricing-rule/preview", json=STACK)).json()
    told = {one["sku"]: one["prices"][0] for one in page["items"]}
    assert {sku: (one["now"], one["then"], one["clamped"]) for sku, one in told.items()} == {
        "SMB-BWG-150": (20_689, 21_288, None),
        "FRM-5IN": (172_500, 177_503, None),
        "STK-PIN": (575, 1_000, "minimum"),
    }
    assert (page["looked_at"], page["next_cursor"]) == (3, None)
    same = (
        await api.post(f"{SHOP}/pricing-rule/preview", json={"strategy": {"type": "markup", "factor": 1.15}})
    ).json()
    assert (same["items"], same["looked_at"]) == ([], 3)
    assert (await api.get(SHOP)).json()["version"] == 1


async def test_a_preview_walks_over_all_products(api: httpx.AsyncClient, shop: str) -> None:
    skus = {f"SKU-{number}" for number in range(5)}
    for sku in skus:
        await created(api, sku=sku, name=sku, base_price=100_000)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
        page = (await api.post(f"{SHOP}/pricing-rule/preview", json=STACK, params=query)).json()
        seen += [one["sku"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(skus)


async def test_a_policy_is_changed_group_by_group(api: httpx.AsyncClient, shop: str) -> None:
    rules = {
        "type": "ordered_rules",
        "rules": [{"name": "small", "winner": "platform", "difference_at_most_percent": 5, "theirs": "lower"}],
    }
    answer = await api.put(f"{SHOP}/conflict-policy", json={"offer": {"type": "manual"}, "content": rules})
    assert answer.status_code == 200
    policy = (await api.get(SHOP)).json()["conflict_policy"]
    assert (policy["version"], policy["offer"], policy["stock"]) == (2, {"type": "manual"}, {"type": "master_wins"})
    assert policy["content"]["rules"][0]["winner"] == "platform"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"offer": {"type": "platform_priority", "order": ["amazon"]}}, "conflict_policy_invalid"),
        ({"offer": {"type": "ordered_rules", "rules": [{"name": "", "winner": "master"}]}}, "conflict_policy_invalid"),
        ({"offer": {"type": "ordered_rules", "rules": [{"name": "a", "winner": "x"}]}}, "body_invalid"),
        ({"offer": {"type": "ordered_rules", "rules": [{"name": "a", "winner": "master", "x": 1}]}}, "body_invalid"),
        ({"offer": {"type": "manual", "by": "me"}}, "body_invalid"),
        ({"price": {"type": "manual"}}, "body_invalid"),
    ],
)
async def test_a_policy_that_could_never_work_is_refused(
    api: httpx.AsyncClient, shop: str, body: Any, code: str
) -> None:
    refused = await api.put(f"{SHOP}/conflict-policy", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


async def test_categories_are_told_anew_as_a_whole(api: httpx.AsyncClient, shop: str) -> None:
    table = {"categories": [{"ours": "Batik", "theirs": "100017"}, {"ours": "", "theirs": "100001"}]}
    assert (await api.put(f"{SHOP}/categories", json=table)).json()["version"] == 2
    assert (await api.get(SHOP)).json()["categories"] == table["categories"]
    twice = {"categories": [{"ours": "Batik", "theirs": "1"}, {"ours": "Batik", "theirs": "2"}]}
    refused = await api.put(f"{SHOP}/categories", json=twice)
    assert (refused.status_code, refused.json()["code"]) == (422, "connection_invalid")
