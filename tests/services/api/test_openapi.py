"""The OpenAPI document against the running server: random requests, and each answer must be one it describes."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from msgspec import Struct
from msgspec.structs import replace
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infrastructure.postgres.pool import APP, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from services.api import application
from services.api.server import serve
from tests.services.api.conftest import ORG, Project, app_over

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 12
"""Requests for each operation."""
POSITION_NOT_REACHED = 503
"""The one answer above 499 that a request may ask for, by a min_position that is not there."""
BOUNDS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Live(Struct, frozen=True):
    url: str
    key: str
    known: dict[str, str] = {}
    """Path parameters that name something which is there."""


@pytest.fixture
def live(database_url: str, project: Project) -> Iterator[Live]:
    """The API on a port of its own, with a loop and a thread of its own; told to stop, and joined."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    ready, keys = threading.Event(), list[str]()
    stops: list[Any] = []

    async def main() -> None:
        stop = asyncio.Event()
        stops.append((asyncio.get_running_loop(), stop))
        async with open_pool(database_url, role=APP, name="tests-live", max_size=4) as pool:
            keys.append(await ApiKeys(pool).issue(ORG, "live", [Scope.ADMIN]))
            serving = asyncio.create_task(serve(app_over(pool), "127.0.0.1", port, stop))
            while not serving.done():
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    break
            ready.set()
            await serving

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(20)
    yield Live(f"http://127.0.0.1:{port}", keys[0])
    loop, stop = stops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    assert not thread.is_alive(), "the server stops when it is told to"


SCHEMA = schemathesis.openapi.from_dict(application.DOCUMENT)
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]


# The server, in a thread beside, draws from `random` now and then; Hypothesis takes that for its strategy's doing.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning")
def test_every_answer_is_one_that_the_document_describes(live: Live) -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in application.DOCUMENT["paths"].values())
    with_things = replace(live, known=things(live))
    seen: Counter[int] = Counter()
    for operation in OPERATIONS:
        explore(operation, with_things, seen)
    assert seen[200] > len(OPERATIONS)
    assert {202, 400, 404, 422} <= seen.keys()


def explore(operation: Any, live: Live, seen: Counter[int]) -> None:
    turns = count()

    @seed(20261121)
    @BOUNDS
    @given(case=operation.as_strategy())
    def hold(case: Any) -> None:
        seen[check(live, case, next(turns))] += 1

    hold()


def things(live: Live) -> dict[str, str]:
    with httpx.Client(base_url=live.url, headers={"authorization": f"Bearer {live.key}"}) as http:
        product = http.post("/api/v2/products", json={"sku": "BTK-PRG", "name": "Batik", "base_price": 1000}).json()
        items = [{"id": product["id"], "changes": {}}]
        job = http.post("/api/v2/products/bulk-update", json={"items": items}).json()
    return {
        "product_id": product["id"],
        "job_id": job["id"],
        "platform": "shopee",
        "type": "product.created",
        "schema": "1",
    }


def check(live: Live, case: Any, turn: int) -> int:
    """The status answered. Three of four requests ask for things that are there."""
    if turn % 4:
        case.path_parameters.update({name: live.known[name] for name in case.path_parameters if name in live.known})
    if case.query and "max_wait" in case.query:
        case.query["max_wait"] = "0.01"
    response = case.call(base_url=live.url, headers={"authorization": f"Bearer {live.key}"})
    status: int = response.status_code
    if status == POSITION_NOT_REACHED and response.json().get("code") == "position_not_reached":
        case.validate_response(response, checks=CHECKS[1:])
    else:
        case.validate_response(response, checks=CHECKS)
    return status


def test_the_examples_of_the_document_fit_its_schemas() -> None:
    components = {"components": application.DOCUMENT["components"]}
    tried = 0
    for methods in application.DOCUMENT["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if content is not None:
                assert "example" in content, operation["operationId"]
                jsonschema_rs.validate({**content["schema"], **components}, content["example"])
                tried += 1
    assert tried >= 10
