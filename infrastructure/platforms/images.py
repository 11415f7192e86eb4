"""Where the bytes of a product's pictures come from."""

from __future__ import annotations

from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed, PlatformError

MAX_BYTES: Final = 10 * 1024 * 1024


class ImageSource(Protocol):
    async def fetch(self, url: str) -> bytes:
        """The picture. Raises `PlatformCallFailed` (VALID when it cannot be used, NETWORK when it cannot be had)."""
        ...


class HttpImages:
    """Pictures from the web, at most 10 MB each, only from the named hosts; None allows every host.

    Name hosts wherever people other than the operator may set the URLs.
    """

    def __init__(self, http: httpx.AsyncClient, allowed_hosts: frozenset[str] | None) -> None:
        self._http = http
        self._allowed_hosts = allowed_hosts

    async def fetch(self, url: str) -> bytes:
        try:
            parts = urlsplit(url)
        except ValueError as reason:
            raise _unusable(url, "is not a URL") from reason
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _unusable(url, "is not an http or https URL")
        if self._allowed_hosts is not None and parts.hostname not in self._allowed_hosts:
            raise _unusable(url, "is not on a host from which pictures are taken")
        content = bytearray()
        try:
            async with self._http.stream("GET", url, follow_redirects=False) as response:
                if response.status_code != httpx.codes.OK:
                    raise _unusable(url, f"answers HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_BYTES:
                        raise _unusable(url, "is larger than 10 MB")
        except httpx.InvalidURL as reason:
            raise _unusable(url, "is not a URL") from reason
        except httpx.HTTPError as reason:
            raise PlatformCallFailed(
                PlatformError(
                    error_class=ErrorClass.NETWORK,
                    code="image_unreachable",
                    message=f"{url}: {type(reason).__name__}",
                    hint="image_refused",
                )
            ) from reason
        return bytes(content)


def _unusable(url: str, what: str) -> PlatformCallFailed:
    return PlatformCallFailed(
        PlatformError(
            error_class=ErrorClass.VALID, code="image_unusable", message=f"{url} {what}", hint="image_refused"
        )
    )
