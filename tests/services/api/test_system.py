"""Health, metrics, and the description of the API."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import Any

import httpx
import jsonschema_rs
import pytest
from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from domain.events import EVENT_TYPES
from domain.messages import Append, Outcome
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from services.api.application import create_api
from services.api.server import serve
from services.app import App
from services.health import database_check, kafka_check, outbox_check, run_checks, schema_check
from services.listening import PortTaken
from services.usecases.products import Products
from tests.services.api.conftest import Project


def client_of(app: App, address: str) -> httpx.AsyncClient:
    asgi: Any = create_api(replace(app, metrics=CollectorRegistry()))
    return httpx.AsyncClient(transport=httpx.ASGITransport(asgi, client=(address, 1)), base_url="http://x")


async def test_a_process_with_its_database_is_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).json() == {"status": "ok"}
    answer = await http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["checks"].keys() == {"database", "schema", "outbox"}


async def test_without_kafka_commands_are_accepted_and_the_state_is_degraded(app: App) -> None:
    async with client_of(
        replace(app, checks={**app.checks, "kafka": kafka_check("127.0.0.1:1")}), "203.0.113.7"
    ) as http:
        answer = await http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert "outbox" in answer.json()["checks"]["kafka"]["detail"]


async def test_events_that_are_not_published_are_told(api: httpx.AsyncClient, app: App) -> None:
    await api.post("/api/v2/products", json={"sku": "A", "name": "B", "base_price": 1})
    found = await run_checks({"outbox": outbox_check(app.pool, alarm_seconds=0)})
    assert (found["outbox"].status, found["outbox"].facts["events"]) == ("degraded", 1)


async def test_missing_migrations_are_told(app: App, database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as owner:
        await owner.execute("delete from schema_migrations where number = 1")
    found = await run_checks({"schema": schema_check(app.pool)})
    assert found["schema"].status == "failed"
    assert "syncstore migrate" in found["schema"].detail


async def test_the_server_finishes_what_is_under_way_when_told_to_stop(app: App, keys: ApiKeys) -> None:
    key = await keys.issue("toko", "t", [Scope.ADMIN])
    stop, begun, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(PostgresEventStore):
        async def append(self, org_id: str, append: Append) -> Outcome:
            begun.set()
            await release.wait()
            return await super().append(org_id, append)

    products = Products(Slow(app.pool), app.identities)
    port = free_port()
    serving = asyncio.create_task(serve(replace(app, products=products), "127.0.0.1", port, stop))
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        await answers(http)
        body = {"sku": "A", "name": "B", "base_price": 1}
        headers = {"authorization": f"Bearer {key}"}
        asked = asyncio.create_task(http.post("/api/v2/products", json=body, headers=headers))
        await begun.wait()
        stop.set()
        release.set()
        assert (await asked).status_code == 201
        await serving


async def test_a_taken_port_is_told(app: App) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with asyncio.timeout(20):
            with pytest.raises(PortTaken, match="SYNCSTORE_API_PORT"):
                await serve(app, "127.0.0.1", taken.getsockname()[1], asyncio.Event())


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def answers(http: httpx.AsyncClient) -> None:
    while True:
        try:
            await http.get("/health/live")
        except httpx.ConnectError:
            await asyncio.sleep(0.01)
        else:
            return


async def test_without_a_database_the_process_is_not_ready() -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    async with open_pool(url, role=APP, name="tests-gone", min_size=0, max_size=1) as pool:
        found = await run_checks({"database": database_check(pool)})
    assert found["database"].status == "failed"
    assert "nobody" not in found["database"].detail


async def test_metrics_need_a_key_unless_one_is_on_this_machine(app: App, api: httpx.AsyncClient) -> None:
    await api.get("/api/v2/products/none")
    answer = await api.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    line = 'syncstore_http_requests_total{method="GET",route="/api/v2/products/{product_id}",status="404"} 1.0'
    assert line in answer.text.replace(":str}", "}")
    async with client_of(app, "203.0.113.7") as stranger:
        assert (await stranger.get("/metrics")).status_code == 401
    async with client_of(app, "127.0.0.1") as neighbour:
        assert (await neighbour.get("/metrics")).status_code == 200
        through_proxy = await neighbour.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"})
        assert through_proxy.status_code == 401


async def test_the_description_is_a_page_without_scripts_and_a_document(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert "/api/v2/products/{product_id}" in document["paths"]
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "/api/v2/products/bulk-update" in page.text
    assert "idempotency_key_reused" in page.text


async def test_every_event_type_has_a_message_in_the_asyncapi_document_and_a_schema(api: httpx.AsyncClient) -> None:
    document = (await api.get("/asyncapi.json")).json()
    messages = document["components"]["messages"]
    assert messages.keys() >= {kind.name for kind in EVENT_TYPES}
    assert set().union(*(channel["messages"] for channel in document["channels"].values())) == messages.keys()
    for kind in EVENT_TYPES:
        answer = await api.get(f"/schemas/{kind.name}/{kind.schema}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/schema+json"
        jsonschema_rs.validator_for(answer.json())
    for unknown in ("/schemas/product.created/99", "/schemas/none/1", "/schemas/product.created/x"):
        assert (await api.get(unknown)).json()["code"] == "schema_unknown"


async def test_a_stored_event_fits_its_schema(api: httpx.AsyncClient, app: App, project: Project) -> None:
    body = {"sku": "A", "name": "B", "base_price": 1, "dimensions": {"weight_kg": "0.5"}}
    made = (await api.post("/api/v2/products", json=body)).json()
    await project()
    (entry,) = (await api.get(f"/api/v2/products/{made['id']}/history")).json()["items"]
    schema = (await api.get(f"/schemas/{entry['type']}/{entry['schema']}")).json()
    jsonschema_rs.validate(schema, entry["data"])
