"""Whatever is wrong with a request is told in one shape, with a stable code and what to do about it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from domain.errors import Refusal
from infrastructure.postgres.errors import DatabaseUnavailable
from infrastructure.security.api_keys import ApiKeys, Scope, new_key, written
from services.api import application
from services.api.openapi import codes_of
from services.api.operations import Operation
from services.api.problems import _OWN, KINDS, Problem, problem_of
from services.app import App
from tests.services.api.test_products import BATIK, created

PRODUCTS = "/api/v2/products"
JSON = {"content-type": "application/json"}


def told(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert problem["status"] == status
    assert problem["type"] == f"urn:syncstore:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["remedy"]
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    return problem


def all_refusals(of: type[Refusal] = Refusal) -> set[type[Refusal]]:
    return {of} | {deeper for kind in of.__subclasses__() for deeper in all_refusals(kind)}


def operations() -> list[Operation]:
    return application.operations_of(application.ROUTES)


def test_every_refusal_has_a_status() -> None:
    outside = ("tests.",)
    codes = {kind.code for kind in all_refusals() if not kind.__module__.startswith(outside)}
    assert codes - KINDS.keys() == set()


def test_every_code_an_operation_names_is_in_the_table() -> None:
    assert {code for operation in operations() for code in codes_of(operation)} <= KINDS.keys()


def test_every_problem_of_the_api_itself_says_what_to_do() -> None:
    assert [code for code, kind in _OWN.items() if not kind.remedy] == []


@pytest.mark.parametrize("missing", [psycopg.errors.UndefinedTable, psycopg.errors.UndefinedFunction])
def test_what_a_view_has_not_brought_yet_is_being_built(missing: type[psycopg.Error]) -> None:
    problem = problem_of(missing())
    assert isinstance(problem, Problem)
    assert problem.code == "view_not_built"


async def test_without_a_key_nothing_but_health_is_open(http: httpx.AsyncClient) -> None:
    asked = [operation for operation in operations() if not operation.path.startswith("/api/webhooks/")]
    for operation in asked:
        path = operation.path.replace(":str", "")
        answer = await http.request(operation.method, path)
        if operation.path.startswith("/health/"):
            assert answer.status_code == 200
        else:
            told(answer, 401, "key_missing")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_that_is_not_in_force_is_refused(http: httpx.AsyncClient, keys: ApiKeys) -> None:
    key = await keys.issue("toko", "old", [Scope.ADMIN])
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    for presented in (f"Bearer {wrong}", f"Bearer {written(*new_key())}", "Bearer nonsense", f"Basic {key}", "Bearer"):
        told(await http.get(PRODUCTS, headers={"authorization": presented}), 401, "key_unknown")


async def test_a_key_may_do_what_its_scopes_say(http: httpx.AsyncClient, keys: ApiKeys) -> None:
    key = await keys.issue("toko", "reader", [Scope.PRODUCTS_READ])
    answer = await http.post(PRODUCTS, json=BATIK, headers={"authorization": f"Bearer {key}"})
    problem = told(answer, 403, "scope_missing")
    assert problem["facts"]["scope"] == "products:write"


async def test_another_organisations_product_is_not_there(api: httpx.AsyncClient, keys: ApiKeys, project: Any) -> None:
    body = await created(api)
    await project()
    other = {"authorization": f"Bearer {await keys.issue('another-shop', 'x', [Scope.ADMIN])}"}
    path = f"{PRODUCTS}/{body['id']}"
    told(await api.get(path, headers=other), 404, "product_unknown")
    told(await api.patch(path, json={"name": "Mine now"}, headers=other), 404, "product_unknown")
    told(await api.get(f"{path}/history", headers=other), 404, "product_unknown")
    assert (await api.get(PRODUCTS, headers=other)).json()["items"] == []
    assert (await api.post(PRODUCTS, json=BATIK, headers=other)).status_code == 201


async def test_an_unknown_address_and_method_are_told(api: httpx.AsyncClient) -> None:
    told(await api.get("/api/v2/produkte"), 404, "path_unknown")
    answer = await api.delete(PRODUCTS)
    told(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"sku": NaN}', b'{"base_price": Infinity}', b"\xff\xfe", b'{"sku":"a"} x', b"[" * 5000],
)
async def test_malformed_json_is_told(api: httpx.AsyncClient, body: bytes) -> None:
    told(await api.post(PRODUCTS, content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"base_price": "189000"}, "/base_price"),
        ({"base_price": 189000.5}, "/base_price"),
        ({"base_price": True}, "/base_price"),
        ({"base_price": None}, "/base_price"),
        ({"colour": "red"}, "/colour"),
        ({"variants": [{"sku": "a"}, {"sku": 1}]}, "/variants/1/sku"),
        ({"variants": [{"sku": "a", "size": "L"}]}, "/variants/0/size"),
        ({"dimensions": {"depth": 1}}, "/dimensions/depth"),
        ({"status": "archived"}, "/status"),
        ({"tags": "batik"}, "/tags"),
    ],
)
async def test_a_wrong_shape_is_told_with_its_place(
    api: httpx.AsyncClient, change: dict[str, Any], pointer: str
) -> None:
    problem = told(await api.post(PRODUCTS, json={**BATIK, **change}), 422, "body_invalid")
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_missing_field_is_told_with_its_place(api: httpx.AsyncClient) -> None:
    problem = told(await api.post(PRODUCTS, json={"sku": "A", "name": "B"}), 422, "body_invalid")
    assert problem["errors"] == [{"detail": "Object missing required field `base_price`", "pointer": "/base_price"}]


@pytest.mark.parametrize("price", [-1, 0, 10_000_000_000, 10**30])
async def test_a_price_out_of_range_is_told(api: httpx.AsyncClient, price: int) -> None:
    problem = told(await api.post(PRODUCTS, json={**BATIK, "base_price": price}), 422, "price_out_of_range")
    assert problem["errors"][0]["pointer"] == "/base_price"


async def test_a_measure_out_of_range_is_told_with_its_place(api: httpx.AsyncClient) -> None:
    body = {**BATIK, "dimensions": {"weight_kg": "-1"}}
    problem = told(await api.post(PRODUCTS, json=body), 422, "dimension_out_of_range")
    assert problem["errors"][0]["pointer"] == "/dimensions/weight_kg"


async def test_a_body_of_another_media_type_is_told(api: httpx.AsyncClient) -> None:
    answer = await api.post(PRODUCTS, content=b"sku=A", headers={"content-type": "application/x-www-form-urlencoded"})
    told(answer, 415, "media_type_unsupported")
    told(await api.post("/api/v2/imports?warehouse=J", json={}), 415, "media_type_unsupported")


async def test_a_large_body_is_refused_before_it_was_read(api: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 100_000

    told(await api.post(PRODUCTS, content=endless(), headers=JSON), 413, "body_too_large")
    assert sent < 100
    declared = {**JSON, "content-length": "2000000"}
    problem = told(await api.post(PRODUCTS, content=b"{}", headers=declared), 413, "body_too_large")
    assert problem["facts"]["limit"] == 1024 * 1024


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
        ("status=gone", "status"),
        ("q=%00", "q"),
        ("price_from=-1", "price_from"),
        ("min_position=99999999999999999999", "min_position"),
        ("max_wait=60", "max_wait"),
        ("updated_since=yesterday", "updated_since"),
    ],
)
async def test_a_wrong_parameter_is_told_by_name(api: httpx.AsyncClient, query: str, parameter: str) -> None:
    problem = told(await api.get(f"{PRODUCTS}?{query}"), 400, "malformed_query")
    assert problem["errors"][0]["parameter"] == parameter


async def test_a_query_that_is_not_utf8_is_told(api: httpx.AsyncClient) -> None:
    told(await api.get(f"{PRODUCTS}?q=%ff"), 400, "malformed_query")


async def test_a_moment_beyond_the_calendar_is_told(api: httpx.AsyncClient) -> None:
    path = f"{PRODUCTS}/{uuid4()}/as-of?recorded_at=0001-01-01T00:00:00%2B14:00"
    told(await api.get(path), 400, "malformed_request")


@pytest.mark.parametrize("cursor", ["x", "####", "bm9uc2Vuc2U", "WzEsMl0x"])
async def test_a_foreign_cursor_is_told(api: httpx.AsyncClient, project: Any, cursor: str) -> None:
    told(await api.get(PRODUCTS, params={"cursor": cursor}), 400, "cursor_invalid")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("If-Match", "7"),
        ("If-Match", 'W/"7"'),
        ("If-Match", '"7", "8"'),
        ("Idempotency-Key", ""),
        ("Idempotency-Key", "x" * 256),
        ("X-Correlation-Id", "not-a-uuid"),
    ],
)
async def test_a_malformed_header_is_told_by_name(api: httpx.AsyncClient, header: str, value: str) -> None:
    answer = await api.patch(f"{PRODUCTS}/{uuid4()}", json={"name": "X"}, headers={header: value})
    problem = told(answer, 400, "malformed_header")
    assert problem["errors"][0]["header"] == header


async def test_the_version_of_path_and_header_must_agree(api: httpx.AsyncClient) -> None:
    told(await api.get(PRODUCTS, headers={"api-version": "1"}), 400, "api_version_mismatch")
    body = await created(api)
    for version in ("2", "v2"):
        answer = await api.get(f"{PRODUCTS}/{body['id']}", headers={"api-version": version})
        assert answer.status_code == 200


async def test_the_callers_correlation_id_is_kept(api: httpx.AsyncClient, project: Any) -> None:
    mine = str(uuid4())
    answer = await api.post(PRODUCTS, json=BATIK, headers={"x-correlation-id": mine})
    assert answer.headers["x-correlation-id"] == mine
    await project()
    history = await api.get(f"{PRODUCTS}/{answer.json()['id']}/history")
    assert history.json()["items"][0]["correlation_id"] == mine


@pytest.mark.parametrize(
    "error",
    [DatabaseUnavailable("PostgreSQL does not answer"), psycopg.OperationalError("gone"), TimeoutError()],
)
async def test_without_a_database_the_caller_is_told_to_come_back(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    await api.get("/openapi.json")  # the key is known before the database goes

    async def gone(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(type(app.store), "append", gone)
    answer = await api.post(PRODUCTS, json=BATIK)
    told(answer, 503, "storage_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert "gone" not in answer.text


async def test_an_unexpected_error_tells_nothing_of_the_inside(
    api: httpx.AsyncClient, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(app.store), "append", broken)
    answer = await api.post(PRODUCTS, json=BATIK)
    told(answer, 500, "internal_error")
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text


async def test_a_view_that_is_not_built_yet_is_told(api: httpx.AsyncClient) -> None:
    told(await api.get(PRODUCTS), 503, "view_not_built")
