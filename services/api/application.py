"""The API as one ASGI application."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response
from litestar.types import ASGIApp

from services.api import (
    catalogue,
    connections,
    docs,
    jobs,
    listings,
    openapi,
    product_history,
    products,
    stock,
    sync,
    system,
    webhooks,
)
from services.api.authorisation import ApiRequest
from services.api.edge import Edge
from services.api.http_metrics import HttpMetrics
from services.api.operations import OPERATION, Operation
from services.api.problems import Problem
from services.app import App

VERSION: Final = version("syncstore")

_DESCRIBED: Final[tuple[HTTPRouteHandler, ...]] = (
    *products.ROUTES,
    *catalogue.ROUTES,
    *product_history.ROUTES,
    *stock.ROUTES,
    *jobs.ROUTES,
    *listings.ROUTES,
    *sync.ROUTES,
    *connections.ROUTES,
    *webhooks.ROUTES,
    *system.ROUTES,
)


def operations_of(routes: Sequence[HTTPRouteHandler]) -> list[Operation]:
    return [route.opt[OPERATION] for route in routes]


DOCUMENT: Final = openapi.describe(operations_of(_DESCRIBED), version=VERSION)
ROUTES: Final = (*_DESCRIBED, *system.description_routes(DOCUMENT, docs.page_of(DOCUMENT), VERSION))


def create_api(app: App) -> ASGIApp:
    """Everything under /api/v2, health, metrics and the description of all of it."""
    methods = _Methods(operations_of(ROUTES))

    def raise_problem(request: ApiRequest, error: Exception) -> Response[Any]:
        """Litestar's own refusals become ours; all others pass on to the edge, which answers for everything."""
        raise (methods.problem_of(request, error) if isinstance(error, HTTPException) else error)

    litestar = Litestar(
        route_handlers=list(ROUTES),
        state=State({"syncstore": app}),
        exception_handlers={Exception: raise_problem},
        openapi_config=None,
        logging_config=None,
        request_max_body_size=None,  # bodies are read, and limited, in services.api.bodies
        debug=False,
    )
    return Edge(litestar, app.identities, HttpMetrics(app.metrics))


class _Methods:
    """Which methods each address takes, for those who sent another."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._methods: dict[str, set[str]] = {}
        for operation in operations:
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", operation.path)
            self._methods.setdefault(pattern, set()).add(operation.method)

    def problem_of(self, request: ApiRequest, error: HTTPException) -> Problem:
        path = request.scope["path"]
        match error.status_code:
            case 404:
                return Problem("path_unknown", f"nothing is at {path}")
            case 405:
                allowed = {m for pattern, of in self._methods.items() if re.fullmatch(pattern, path) for m in of}
                header = {"allow": ", ".join(sorted(allowed))}
                return Problem("method_not_allowed", f"{path} does not take {request.method}", headers=header)
            case status if 400 <= status < 500:
                return Problem("malformed_request", error.detail)
            case _:
                raise error
