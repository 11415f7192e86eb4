"""Health, metrics, and the description of the API and its events: what operators and client authors read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, Literal

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from infrastructure.kafka.asyncapi import asyncapi_document
from infrastructure.kafka.schemas import event_schemas
from infrastructure.security.api_keys import Scope
from services.api.authorisation import Access
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Problem
from services.health import Finding, run_checks

_TEXT: Final = CONTENT_TYPE_LATEST


class Alive(Struct, frozen=True, kw_only=True):
    status: Literal["ok"] = "ok"


class Readiness(Struct, frozen=True, kw_only=True):
    """`degraded`: something is worth an alarm, and commands are accepted all the same."""

    status: Literal["ok", "degraded", "failed"]
    checks: dict[str, Finding]


@endpoint(
    "GET",
    "/health/live",
    scope=Access.OPEN,
    tag="Operation",
    summary="Whether the process runs",
    answers={200: Alive},
)
async def live(_: Call) -> Answer:
    return Answer(Alive())


@endpoint(
    "GET",
    "/health/ready",
    scope=Access.OPEN,
    tag="Operation",
    summary="Whether the process can do its work",
    answers={200: Readiness, 503: Readiness},
)
async def ready(call: Call) -> Answer:
    """PostgreSQL and its schema must be there; without Kafka commands are accepted and published later."""
    checks = await run_checks(call.app.checks)
    found = {finding.status for finding in checks.values()}
    if "failed" in found:
        body = Readiness(status="failed", checks=checks)
        return Answer(body, HTTPStatus.SERVICE_UNAVAILABLE, {"retry-after": "1"})
    return Answer(Readiness(status="degraded" if "degraded" in found else "ok", checks=checks))


@endpoint(
    "GET",
    "/metrics",
    scope=Scope.METRICS_READ,
    local=True,
    tag="Operation",
    summary="Figures for Prometheus",
    answers={200: str},
    media_type=_TEXT,
)
async def metrics(call: Call) -> Answer:
    return Answer(generate_latest(call.app.metrics))


_SCHEMAS: Final = {key: msgspec.json.encode(schema) for key, schema in event_schemas().items()}


@endpoint(
    "GET",
    "/schemas/{type:str}/{schema:str}",
    scope=Access.ANY_KEY,
    local=True,
    tag="Description",
    summary="JSON Schema of an event",
    answers={200: dict[str, Any]},
    refusals=("schema_unknown",),
    media_type="application/schema+json",
    path_examples={"type": "product.created", "schema": "1"},
)
async def event_schema(call: Call) -> Answer:
    """By the wire name of its type and the version of its shape, as ce_dataschema names them."""
    name, version = call.path("type"), call.path("schema")
    found = _SCHEMAS.get(f"{name}/{version}")
    if found is None:
        raise Problem("schema_unknown", f"no event type {name!r} has a schema {version!r}")
    return Answer(found)


def description_routes(document: dict[str, Any], page: str, version: str) -> tuple[HTTPRouteHandler, ...]:
    """Where the OpenAPI document, the page made of it, and the AsyncAPI document are found."""
    encoded = msgspec.json.encode(document)
    encoded_events = msgspec.json.encode(asyncapi_document(version))
    encoded_page = page.encode()

    @endpoint(
        "GET",
        "/openapi.json",
        scope=Access.ANY_KEY,
        local=True,
        tag="Description",
        summary="This document",
        answers={200: dict[str, Any]},
    )
    async def openapi(_: Call) -> Answer:
        return Answer(encoded)

    @endpoint(
        "GET",
        "/docs",
        scope=Access.ANY_KEY,
        local=True,
        tag="Description",
        summary="This description as a page",
        answers={200: str},
        media_type="text/html; charset=utf-8",
    )
    async def docs(_: Call) -> Answer:
        return Answer(encoded_page)

    @endpoint(
        "GET",
        "/asyncapi.json",
        scope=Access.ANY_KEY,
        local=True,
        tag="Description",
        summary="The events on Kafka",
        answers={200: dict[str, Any]},
    )
    async def events(_: Call) -> Answer:
        return Answer(encoded_events)

    return openapi, docs, events


ROUTES: Final = (live, ready, metrics, event_schema)
