"""Products over HTTP: commands and what they answer, conditions, idempotency, reads."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from tests.services.api.conftest import Project

BATIK: dict[str, Any] = {"sku": "BTK-PRG", "name": "Kemeja Batik Parang", "base_price": 189_000}


async def created(api: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await api.post("/api/v2/products", json={**BATIK, **changes})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_creating_answers_where_the_product_is_and_what_to_wait_for(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v2/products", json=BATIK)
    assert answer.status_code == 201
    body = answer.json()
    assert body.keys() == {"id", "version", "position"}
    assert body["version"] == 1
    assert body["position"] > 0
    assert answer.headers["location"] == f"/api/v2/products/{body['id']}"
    assert answer.headers["etag"] == '"1"'


async def test_a_product_can_be_read_before_and_after_the_views_have_it(
    api: httpx.AsyncClient, project: Project
) -> None:
    body = await created(api, tags=["batik"], dimensions={"weight_kg": 0.35})
    early = await api.get(f"/api/v2/products/{body['id']}")
    assert early.status_code == 200
    await project()
    late = await api.get(f"/api/v2/products/{body['id']}", params={"min_position": body["position"]})
    assert late.json()["position"] == body["position"]
    assert {**late.json(), "position": 0} == {**early.json(), "position": 0}
    assert late.json()["dimensions"]["weight_kg"] == "0.35"
    assert late.headers["etag"] == '"1"'
    assert late.headers["x-position"] == str(body["position"])


async def test_an_unchanged_product_is_not_sent_again(api: httpx.AsyncClient, project: Project) -> None:
    body = await created(api)
    await project()
    answer = await api.get(f"/api/v2/products/{body['id']}", headers={"if-none-match": '"1"'})
    assert answer.status_code == 304
    assert answer.content == b""


async def test_waiting_for_a_position_is_bounded(api: httpx.AsyncClient, project: Project) -> None:
    await project()
    body = await created(api)
    answer = await api.get("/api/v2/products", params={"min_position": body["position"], "max_wait": 0.1})
    assert answer.status_code == 503
    assert answer.json()["code"] == "position_not_reached"
    assert answer.headers["retry-after"] == "1"


async def test_two_changes_of_different_fields_both_stand(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    price, name = await asyncio.gather(
        api.patch(path, json={"base_price": 199_000}), api.patch(path, json={"name": "Batik Parang"})
    )
    assert {price.status_code, name.status_code} == {200}
    now = (await api.get(path)).json()
    assert (now["base_price"], now["name"], now["version"]) == (199_000, "Batik Parang", 3)


async def test_a_stale_if_match_tells_what_was_changed_and_by_whom(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    await api.patch(path, json={"base_price": 199_000})
    answer = await api.patch(path, json={"name": "Batik"}, headers={"if-match": '"1"'})
    assert answer.status_code == 412
    problem = answer.json()
    assert problem["code"] == "version_stale"
    assert problem["facts"]["current_version"] == 2
    assert problem["facts"]["changed_fields"] == ["base_price"]
    assert problem["facts"]["actor"].startswith("key:")


async def test_an_expected_version_refuses_the_same_field_and_lets_others_pass(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    await api.patch(path, json={"base_price": 199_000})
    same = await api.patch(path, json={"base_price": 209_000, "expected_version": 1})
    assert same.status_code == 409
    assert same.json()["code"] == "version_conflict"
    assert same.json()["facts"]["changed_fields"] == ["base_price"]
    other = await api.patch(path, json={"name": "Batik", "expected_version": 1})
    assert other.status_code == 200


async def test_a_matching_if_match_lets_the_change_through(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    answer = await api.put(path, json={"name": "Batik", "base_price": 1000}, headers={"if-match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'


async def test_replacing_empties_what_is_left_out(api: httpx.AsyncClient) -> None:
    body = await created(api, tags=["batik"], description="Halus")
    path = f"/api/v2/products/{body['id']}"
    assert (await api.put(path, json={"name": "Batik", "base_price": 1000})).status_code == 200
    now = (await api.get(path)).json()
    assert (now["name"], now["tags"], now["description"], now["sku"]) == ("Batik", [], "", "BTK-PRG")


async def test_variants_change_together_with_other_fields_in_one_command(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    variants = [{"sku": "BTK-PRG-L", "options": [{"name": "Ukuran", "value": "L"}], "base_price": 195_000}]
    answer = await api.patch(path, json={"name": "Batik", "variants": variants})
    assert answer.status_code == 200
    now = (await api.get(path)).json()
    assert now["name"] == "Batik"
    assert [variant["sku"] for variant in now["variants"]] == ["BTK-PRG-L"]


async def test_twenty_parallel_requests_with_one_key_are_one_command(api: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "create-btk-prg"}
    answers = await asyncio.gather(*(api.post("/api/v2/products", json=BATIK, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    history = await api.get(f"/api/v2/products/{answers[0].json()['id']}")
    assert history.json()["version"] == 1


async def test_twenty_parallel_changes_with_one_key_are_one_command(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path, headers = f"/api/v2/products/{body['id']}", {"idempotency-key": "price-run-1"}
    answers = await asyncio.gather(*(api.patch(path, json={"base_price": 1234}, headers=headers) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["version"] == 2


async def test_a_key_with_another_body_is_refused(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path, headers = f"/api/v2/products/{body['id']}", {"idempotency-key": "price-run-1"}
    await api.patch(path, json={"base_price": 1234}, headers=headers)
    answer = await api.patch(path, json={"base_price": 1235}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"


async def test_a_key_holds_although_the_json_is_spaced_otherwise(api: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "spaced", "content-type": "application/json"}
    first = await api.post("/api/v2/products", content=b'{"sku":"A","name":"B","base_price":1}', headers=headers)
    second = await api.post("/api/v2/products", content=b'{"name": "B", "base_price": 1, "sku": "A"}', headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content


async def test_deleting_archives_and_restoring_brings_back(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    gone = await api.delete(path)
    assert gone.status_code == 200
    assert "restore" in gone.json()["note"]
    assert (await api.get(path)).json()["status"] == "archived"
    refused = await api.patch(path, json={"name": "X"})
    assert (refused.status_code, refused.json()["code"]) == (409, "product_archived")
    assert (await api.post(f"{path}/restore")).status_code == 200
    assert (await api.get(path)).json()["status"] == "active"


async def test_archiving_keeps_the_reason_in_the_history(api: httpx.AsyncClient, project: Project) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    await api.post(f"{path}/archive", json={"reason": "Musim lalu"})
    await project()
    items = (await api.get(f"{path}/history")).json()["items"]
    assert [item["type"] for item in items] == ["product.archived", "product.created"]
    assert items[0]["data"]["reason"] == "Musim lalu"


async def test_a_platform_override_shows_in_the_product(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    answer = await api.put(f"{path}/overrides/shopee", json={"name": "Batik Ori", "prices": {"BTK-PRG": 228_000}})
    assert answer.status_code == 200
    overrides = (await api.get(path)).json()["overrides"]
    assert overrides == {"shopee": {"name": "Batik Ori", "description": None, "prices": {"BTK-PRG": 228_000}}}
    unknown = await api.put(f"{path}/overrides/tokosebelah", json={})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "platform_unknown")


async def test_a_taken_sku_is_refused_naming_its_owner(api: httpx.AsyncClient) -> None:
    body = await created(api)
    answer = await api.post("/api/v2/products", json={**BATIK, "sku": "btk-prg"})
    assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")
    assert answer.json()["facts"]["owner"] == body["id"]


async def test_the_past_is_answered_by_version_and_position(api: httpx.AsyncClient) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    await api.patch(path, json={"base_price": 199_000})
    then = await api.get(f"{path}/as-of", params={"version": 1})
    assert (then.json()["base_price"], then.json()["version"]) == (189_000, 1)
    then = await api.get(f"{path}/as-of", params={"position": body["position"]})
    assert then.json()["base_price"] == 189_000
    before = await api.get(f"{path}/as-of", params={"recorded_at": "2001-01-01T00:00:00Z"})
    assert (before.status_code, before.json()["code"]) == (404, "moment_unknown")


async def test_history_tells_old_and_new_values_page_by_page(api: httpx.AsyncClient, project: Project) -> None:
    body = await created(api)
    path = f"/api/v2/products/{body['id']}"
    for price in range(1000, 1005):
        await api.patch(path, json={"base_price": price})
    await project()
    seen, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await api.get(f"{path}/history", params=params)).json()
        seen += [item["version"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1]
    first = (await api.get(f"{path}/history", params={"limit": 1})).json()["items"][0]
    assert first["changes"] == [{"field": "base_price", "old": 1003, "new": 1004}]


async def test_the_list_filters_searches_and_pages(api: httpx.AsyncClient, project: Project) -> None:
    for number in range(5):
        await created(api, sku=f"S{number}", name=f"Batik {number}", base_price=1000 + number, tags=["batik"])
    await created(api, sku="SARUNG", name="Sarung tenun", base_price=5000)
    await project()
    page = (await api.get("/api/v2/products", params={"tag": "batik", "limit": 3})).json()
    rest = (
        await api.get("/api/v2/products", params={"tag": "batik", "limit": 3, "cursor": page["next_cursor"]})
    ).json()
    assert [item["sku"] for item in page["items"] + rest["items"]] == ["S4", "S3", "S2", "S1", "S0"]
    assert rest["next_cursor"] is None
    found = (await api.get("/api/v2/products", params={"q": "sarng"})).json()["items"]
    assert [item["sku"] for item in found] == ["SARUNG"]
    priced = (await api.get("/api/v2/products", params={"price_from": 1004, "price_to": 4999})).json()["items"]
    assert [item["sku"] for item in priced] == ["S4"]
    by_sku = (await api.get("/api/v2/products", params={"sku": "sarung"})).json()["items"]
    assert [item["sku"] for item in by_sku] == ["SARUNG"]
    dearest = await api.get("/api/v2/products", params={"q": "sarung", "sort": "-price", "limit": 2})
    prices = [item["base_price"] for item in dearest.json()["items"]]
    assert prices == sorted(prices, reverse=True)
    elsewhere = {"q": "sarung", "sort": "price", "cursor": page["next_cursor"]}
    for params, code in ((elsewhere, "cursor_invalid"), ({"sort": "relevance"}, "malformed_query")):
        refused = await api.get("/api/v2/products", params=params)
        assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert (await api.get("/api/v2/products", params={"sku": "NONE"})).json()["items"] == []


async def test_stock_is_received_and_counted_by_sku(api: httpx.AsyncClient) -> None:
    body = await created(api)
    shelf = {"sku": "btk-prg", "warehouse": "Jakarta"}
    received = await api.post("/api/v2/stock/receive", json={**shelf, "quantity": 24})
    assert (received.status_code, received.json()["on_hand"], received.json()["id"]) == (200, 24, body["id"])
    counted = await api.post("/api/v2/stock/count", json={**shelf, "counted": 20, "expected_on_hand": 24})
    assert counted.json()["on_hand"] == 20
    moved = await api.post("/api/v2/stock/count", json={**shelf, "counted": 19, "expected_on_hand": 24})
    assert (moved.status_code, moved.json()["code"]) == (409, "stock_moved")
    unknown = await api.post("/api/v2/stock/receive", json={**shelf, "sku": "NONE", "quantity": 1})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "sku_unknown")


async def test_a_repeated_receipt_adds_once(api: httpx.AsyncClient) -> None:
    await created(api)
    receipt = {"sku": "BTK-PRG", "warehouse": "Jakarta", "quantity": 24}
    headers = {"idempotency-key": "po-117"}
    answers = [await api.post("/api/v2/stock/receive", json=receipt, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_an_unknown_product_is_not_found(api: httpx.AsyncClient, project: Project) -> None:
    path = f"/api/v2/products/{uuid4()}"
    for answer in (await api.get(path), await api.patch(path, json={"name": "X"}), await api.get(f"{path}/history")):
        assert (answer.status_code, answer.json()["code"]) == (404, "product_unknown")


async def test_a_walk_over_all_pages_neither_repeats_nor_misses_while_products_change(
    api: httpx.AsyncClient, project: Project
) -> None:
    ids = [(await created(api, sku=f"S{number}"))["id"] for number in range(40)]
    await project()
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": 7, **({"cursor": cursor} if cursor else {})}
        page = (await api.get("/api/v2/products", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        for product_id in ids:
            await api.patch(f"/api/v2/products/{product_id}", json={"base_price": 1000 + len(seen)})
        await created(api, sku=f"NEW{len(seen)}")
        await project()
    assert seen == list(reversed(ids))


async def test_twenty_changes_of_one_product_at_once_are_all_done(api: httpx.AsyncClient) -> None:
    one = await created(api)
    path = f"/api/v2/products/{one['id']}"
    answers = await asyncio.gather(*(api.patch(path, json={"base_price": 1_000 + n}) for n in range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 22))
