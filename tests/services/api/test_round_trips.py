"""How often a request goes to the database: once to look, once to store. Keys are remembered for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infrastructure.postgres.pool import APP, Pool, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from services.api.application import create_api
from tests.services.api.conftest import ORG, Project, app_over
from tests.support.round_trips import round_trips

NEW = {"name": "Kemeja Batik Parang", "base_price": 199_000}


@pytest.fixture
async def lonely(database_url: str) -> AsyncIterator[Pool]:
    """All that requests share is one connection: one that wanted two at once would never be answered."""
    async with open_pool(database_url, role=APP, name="tests", max_size=1) as pool:
        yield pool


@pytest.fixture
async def api(lonely: Pool, project: Project) -> AsyncIterator[httpx.AsyncClient]:
    asgi: Any = create_api(app_over(lonely))
    key = await ApiKeys(lonely).issue(ORG, "tests", [Scope.ADMIN])
    transport = httpx.ASGITransport(asgi, client=("203.0.113.7", 40000))
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers) as client:
        for number in range(12):  # statements are prepared, the key is known
            await client.post("/api/v2/products", json=NEW | {"sku": f"BTK-{number}"})
        await project()
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "trips"),
    [
        ("POST", "", NEW | {"sku": "NEW"}, 1),
        ("PATCH", "/{id}", {"name": "Kemeja Batik Kawung"}, 1),
        ("GET", "/{id}", None, 1),
        ("GET", "", None, 1),
        ("GET", "?q=batik", None, 1),
        ("GET", "/{id}/history", None, 1),
    ],
)
async def test_a_request_goes_to_the_database_no_more_often_than_it_must(
    api: httpx.AsyncClient, lonely: Pool, tmp_path: Path, method: str, path: str, body: Any, trips: int
) -> None:
    first = (await api.get("/api/v2/products")).json()["items"][0]["id"]
    url = f"/api/v2/products{path.format(id=first)}"

    async def ask() -> None:
        answer = await api.request(method, url, json=body)
        assert answer.status_code in {200, 201}, answer.text

    assert await round_trips(lonely, tmp_path, ask()) == trips
