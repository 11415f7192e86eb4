"""How many requests came, what became of them and how long they took, by operation."""

from __future__ import annotations

from typing import Any, Final

from litestar.types import Scope
from prometheus_client import CollectorRegistry, Counter, Histogram

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HttpMetrics:
    """Labels are route templates and status classes, so their number stays bounded whatever is asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "syncstore_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "syncstore_http_request_seconds",
            "From the first byte of a request to the last of its answer",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """`status` 0: the caller went away before an answer."""
        method: str = scope.get("method", "")  # type: ignore[assignment]  # Litestar types it per kind of scope
        route: str = scope.get("path_template", "none")
        key = (method if route != "none" else "any", route, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(key[0], route, status),
                self._seconds.labels(key[0], route),
            )
        requests, histogram = children
        requests.inc()
        histogram.observe(seconds)
