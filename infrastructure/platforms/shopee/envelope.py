"""Shopee's answers, from HTTP status and bytes to either content or an error.

The envelope is {error, message, warning, request_id, response}; token calls put their fields beside `error` instead of
in `response`. An error can come together with filled row lists, so content is kept even then.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed, PlatformError
from infrastructure.platforms.shopee.errors import RATE_PAUSE, classify

T = TypeVar("T")

_NOTHING: Final = msgspec.Raw(b"null")


class Envelope(Struct, frozen=True):
    error: str | None = ""
    message: Any = ""
    request_id: Any = ""
    response: msgspec.Raw = _NOTHING


class Answer(Struct, frozen=True, kw_only=True):
    """What came back. `body` is the whole answer, `response` its inner part ("null" when absent)."""

    body: bytes
    response: bytes
    request_id: str
    error: PlatformError | None


def read_answer(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Answer:
    """Understand an answer; never raises. Header names are looked up in lower case."""
    retry_after = _seconds(headers.get("retry-after"))
    try:
        envelope = msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError):
        unreadable = _without_envelope(status, retry_after, body)
        return Answer(body=body, response=b"null", request_id="", error=unreadable)
    message = envelope.message if isinstance(envelope.message, str) else ""
    named = envelope.error
    error = classify(named, message, now=now, retry_after=retry_after) if named else None
    if status == 429 and (error is None or error.error_class is not ErrorClass.RATE):
        error = _throttled(retry_after, message)
    elif status >= 400 and (error is None or error.error_class is ErrorClass.UNKNOWN):
        error = _without_envelope(status, retry_after, body)
    return Answer(body=body, response=bytes(envelope.response), request_id=str(envelope.request_id), error=error)


def parse(raw: bytes, shape: type[T]) -> T:
    """Typed content; numbers may arrive as text. Raises `PlatformCallFailed` when it does not have the shape."""
    try:
        return msgspec.json.decode(raw, type=shape, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as reason:
        raise PlatformCallFailed(_malformed(str(reason))) from reason


def _without_envelope(status: int, retry_after: float | None, body: bytes) -> PlatformError:
    excerpt = body[:200].decode("utf-8", "replace")
    if status == 429:
        return _throttled(retry_after, excerpt)
    if status >= 500:
        return PlatformError(
            error_class=ErrorClass.SERVER,
            code=f"http_{status}",
            message=excerpt,
            retry_after=retry_after,
            hint="platform_failing",
        )
    if status == 403:
        # The edge refuses undeclared addresses with a page of HTML before the API is reached.
        return PlatformError(
            error_class=ErrorClass.AUTH_DEAD, code="http_403", message=excerpt, hint="permission_missing"
        )
    if status == 408:
        return PlatformError(error_class=ErrorClass.NETWORK, code="http_408", message=excerpt, hint="unreachable")
    if status >= 300:
        return PlatformError(error_class=ErrorClass.UNKNOWN, code=f"http_{status}", message=excerpt, hint="unknown")
    return _malformed(excerpt)


def _throttled(retry_after: float | None, message: str) -> PlatformError:
    return PlatformError(
        error_class=ErrorClass.RATE,
        code="http_429",
        message=message,
        retry_after=RATE_PAUSE if retry_after is None else retry_after,
        hint="rate_limited",
    )


def _malformed(detail: str) -> PlatformError:
    return PlatformError(
        error_class=ErrorClass.SERVER, code="malformed_answer", message=detail, hint="platform_failing"
    )


def _seconds(value: str | None) -> float | None:
    """`Retry-After` in its form of seconds; a date or nonsense counts as not given."""
    if value is None or not value.strip().isascii() or not value.strip().isdigit():
        return None
    return min(float(value), 86_400.0)
