"""Switches that make the shop misbehave on purpose."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from services.simulators.shopee.gate import Query


class Fault(Struct, kw_only=True):
    """What happens to the next `count` calls that match.

    "error": the envelope's `error` with `message`; "http_500" and "html": an answer without an envelope; "hang": no
    answer for `seconds`; "lost_answer": the call is carried out, its answer replaced by HTTP 502; "short_page": a list
    page with one row less than asked, more of them following.
    """

    kind: Literal["error", "http_500", "html", "hang", "lost_answer", "short_page"]
    count: int = 1
    path: str = ""
    """Matches calls whose path contains it."""
    where: dict[str, str] = {}
    """Matches calls with these query values."""
    error: str = "error_server"
    message: str = "Something went wrong."
    seconds: float = 30.0

    def matches(self, path: str, query: Query) -> bool:
        return self.path in path and all(query.get(name) == value for name, value in self.where.items())


class Faults(Struct, kw_only=True):
    latency_ms: float = 0.0
    """Added to every call."""
    faults: list[Fault] = []

    def take(self, path: str, query: Query) -> Fault | None:
        """The first fault that matches, used up once."""
        for fault in self.faults:
            if fault.count > 0 and fault.matches(path, query):
                fault.count -= 1
                self.faults = [other for other in self.faults if other.count > 0]
                return fault
        return None
