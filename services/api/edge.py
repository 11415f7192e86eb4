"""The outermost layer of the API: what holds for every request, whatever it asks for.

Plain ASGI around Litestar: its own middleware does not see requests that reach no route, and costs more for each.
"""

from __future__ import annotations

import time
from typing import Any, Final
from uuid import UUID

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from domain.ports import Identities
from services.api.bodies import Disconnected
from services.api.conditions import checked_correlation_id
from services.api.http_metrics import HttpMetrics
from services.api.problems import Problem, internal_error, problem_of, render

API_VERSION: Final = "2"

log: Final = structlog.get_logger()


class Edge:
    """Correlation, the api-version header, measuring, and a problem document for whatever was raised."""

    def __init__(self, app: ASGIApp, identities: Identities, metrics: HttpMetrics) -> None:
        self._app = app
        self._identities = identities
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        correlation_id = self._identities.new()
        status = 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-correlation-id", str(correlation_id).encode())]
            await send(message)

        try:
            given = _header(scope, b"x-correlation-id")
            if given is not None:
                correlation_id = checked_correlation_id(given)
            structlog.contextvars.bind_contextvars(correlation_id=str(correlation_id))
            _check_api_version(scope)
            scope.setdefault("state", {})["correlation_id"] = correlation_id
            await self._app(scope, receive, send_marked)
        except Disconnected:
            log.debug("caller_went_away", path=scope["path"])
        except Exception as error:
            if status:
                raise
            await _send_problem(error, correlation_id, send_marked)
        finally:
            self._metrics.observe(scope, status, time.perf_counter() - started)


async def _send_problem(error: Exception, correlation_id: UUID, send: Send) -> None:
    problem = problem_of(error)
    if problem is None:
        log.error("request_failed", exc_info=error)
        problem = internal_error()
    elif isinstance(problem, Problem) and problem.code == "storage_unavailable":
        log.warning("storage_unavailable", reason=str(error))
    status, headers, body = render(problem, correlation_id)
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    start: Any = {"type": "http.response.start", "status": status, "headers": encoded}
    await send(start)
    end: Any = {"type": "http.response.body", "body": body, "more_body": False}
    await send(end)


def _check_api_version(scope: Scope) -> None:
    given = _header(scope, b"api-version")
    if given is not None and scope["path"].startswith("/api/") and given.strip().removeprefix("v") != API_VERSION:
        raise Problem(
            "api_version_mismatch",
            f"api-version is {given!r}, the path is of version {API_VERSION}",
            version=API_VERSION,
        ) from None


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None
