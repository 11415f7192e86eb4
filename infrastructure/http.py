"""The HTTP client that everything here uses: httpx, with one failure given its name."""

from __future__ import annotations

from typing import Any

import httpx


class ConnectionEnded(httpx.ConnectError):
    """The other side ended a connection as soon as it was made; nothing was sent."""


class HttpClient(httpx.AsyncClient):
    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        try:
            return await super().send(request, **how)
        except AttributeError as error:
            if error.name != "getpeername":
                raise
            # Under uvloop such a connection has no socket any more, which anyio asks before it looks.
            raise ConnectionEnded(str(error), request=request) from error
