"""Which of our error classes a Shopee refusal belongs to.

Shopee answers HTTP 200 to most refusals and names them, with or without a module prefix; what each name means stands in
`refusals`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from domain.policies.retry import ErrorClass as E
from infrastructure.platforms.connector import PlatformError
from infrastructure.platforms.shopee.refusals import (
    AUTH_MESSAGES,
    BY_NAME,
    BY_PREFIX,
    PARAM_MESSAGES,
    REASONS,
    SPREAD,
    Patterns,
    Verdict,
)

RATE_PAUSE: Final = 60.0
"""Seconds to pause after a throttled call that did not say how long."""

_SHOPEE_DAY: Final = timezone(timedelta(hours=8))


def normalise(name: str) -> str:
    """The bare error name: `product.error_param` and `error.param` are both `error_param`."""
    name = name.strip()
    head, dot, tail = name.rpartition(".")
    if dot and tail.startswith("error_"):
        return tail
    if dot and head == "error":
        return f"error_{tail}"
    return name


def classify(name: str, message: str, *, now: datetime, retry_after: float | None = None) -> PlatformError:
    """The error in a whole answer. `now` has a zone; it tells how long a spent daily quota lasts."""
    code = normalise(name)
    error_class, hint = _verdict(code, message)
    if error_class is E.RATE and retry_after is None:
        retry_after = _until_shopee_midnight(now) if hint == "quota_spent" else RATE_PAUSE
    return PlatformError(error_class=error_class, code=code, message=message, retry_after=retry_after, hint=hint)


def classify_reason(reason: str, whole: PlatformError | None = None) -> PlatformError:
    """The error in one row: free text, or, where the text says nothing to us, the whole answer's error."""
    code = normalise(reason)
    verdict = BY_NAME.get(code) or _first_match(REASONS, reason)
    if verdict is not None:
        error_class, hint = verdict
        return PlatformError(error_class=error_class, code=whole.code if whole else hint, message=reason, hint=hint)
    if whole is not None:
        return PlatformError(error_class=whole.error_class, code=whole.code, message=reason, hint=whole.hint)
    return PlatformError(error_class=E.UNKNOWN, code="failed_reason", message=reason, hint="unknown")


def hint_of(code: str, message: str) -> str:
    """The hint of an error that was kept by code and message. A row's own words say more than a general code."""
    _, hint = _verdict(code, message)
    if hint not in {"unknown", "reread_listing", "request_refused"}:
        return hint
    verdict = _first_match(REASONS, message)
    return hint if verdict is None else verdict[1]


def _verdict(code: str, message: str) -> Verdict:
    if code == "error_auth":
        return _first_match(AUTH_MESSAGES, message) or (E.UNKNOWN, "unknown")
    if code == "error_param":
        return _first_match(PARAM_MESSAGES, message) or _first_match(SPREAD, message) or (E.VALID, "request_refused")
    if code == "error_invalid_price" and (spread := _first_match(SPREAD, message)):
        return spread
    for prefix, verdict in BY_PREFIX:
        if code.startswith(prefix):
            return verdict
    return BY_NAME.get(code, (E.UNKNOWN, "unknown"))


def _first_match(table: Patterns, text: str) -> Verdict | None:
    return next((verdict for pattern, verdict in table if pattern.search(text)), None)


def _until_shopee_midnight(now: datetime) -> float:
    local = now.astimezone(_SHOPEE_DAY)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local).total_seconds()
