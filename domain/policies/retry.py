"""What to do after a call to a platform failed: by the class of the error, the attempts made, and the platform.

Attempts include the first try. The wait before attempt k + 1 is min(1 s x 2^(k-1), 30 s) x (1 .. 1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

from msgspec import Struct

from domain.values import Platform

FIRST_DELAY_SECONDS: Final = 1.0
MAX_DELAY_SECONDS: Final = 30.0
MAX_JITTER: Final = 0.1
RATE_PAUSE_SECONDS: Final = 60.0
"""How long a lane rests after "too many requests" without a Retry-After."""
RECHECK_SECONDS: Final = 900.0
"""How often a value is tried that the platform's state (promotion, review, holiday) holds back."""
MAX_DEFERRED_SECONDS: Final = 86_400.0
"""Deferrals take no attempt, so something else has to end them: a day, after which every daily quota has been reset."""

DEFAULT_ATTEMPTS: Final = 3
ATTEMPTS: Final[Mapping[Platform, int]] = {Platform.SHOPEE: 5, Platform.TIKTOK_SHOP: 3}


class ErrorClass(StrEnum):
    """The canonical classes into which every connector sorts its platform's errors. Values are wire names."""

    RATE = "rate"  # too many requests, or a quota is used up
    AUTH_EXPIRED = "auth_expired"  # access token dead, refreshing may help
    AUTH_DEAD = "auth_dead"  # refresh token dead, authorisation withdrawn, key wrong
    SIGN = "sign"  # signature or timestamp refused
    VALID = "valid"  # the content is refused
    LOCKED = "locked"  # refused for now by platform state: promotion, review, holiday, penalty
    MISSING = "missing"  # product or SKU unknown there
    CONFLICT = "conflict"  # duplicate, or a compare-and-set failed
    SERVER = "server"  # failure on the platform's side
    NETWORK = "network"  # no answer
    UNKNOWN = "unknown"  # anything the connector does not recognise


class RetryAfter(Struct, frozen=True, tag="retry_after"):
    seconds: float
    consumes_attempt: bool
    """False for a deferral, which pauses the whole lane of the connection."""


class Hold(Struct, frozen=True, tag="hold"):
    """Neither synced nor failed: look again later."""

    recheck_seconds: float
    reason: str


class RefreshToken(Struct, frozen=True, tag="refresh_token"):
    """Refresh the access token, then repeat the call once."""


class PauseConnection(Struct, frozen=True, tag="pause_connection"):
    """Nothing can go to this shop until a person has seen to it."""

    reason: str


class Fail(Struct, frozen=True, tag="fail"):
    """Report on the listing; trying the same again cannot help."""

    reason: str


class Park(Struct, frozen=True, tag="park"):
    """Set aside for an operator, who can release it to be tried again."""

    reason: str


NextStep = RetryAfter | Hold | RefreshToken | PauseConnection | Fail | Park


def attempts_for(platform: Platform) -> int:
    """How often a call is tried at most, the first try included."""
    return ATTEMPTS.get(platform, DEFAULT_ATTEMPTS)


def delay_seconds(attempts: int, jitter: float = 0.0) -> float:
    """The wait after so many attempts; `jitter` of 0 to 1 lengthens it by up to a tenth."""
    if attempts < 1:
        raise ValueError(f"attempts are counted from 1, not {attempts}")
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter is between 0 and 1, not {jitter}")
    doublings = min(attempts - 1, 32)
    return min(FIRST_DELAY_SECONDS * (1 << doublings), MAX_DELAY_SECONDS) * (1 + MAX_JITTER * jitter)


def next_step(  # noqa: C901, PLR0911  # one case for each class, nothing nested
    error: ErrorClass,
    attempts: int,
    platform: Platform,
    *,
    retry_after: float | None = None,
    jitter: float = 0.0,
    max_attempts: int | None = None,
    refreshed: bool = False,
    deferred_seconds: float = 0.0,
) -> NextStep:
    """What follows a failed call.

    `attempts` were made so far, this one included. `retry_after` is the platform's own word in seconds: 0 means at
    once, None that it said nothing. `max_attempts` None means the platform's figure, 0 or 1 that nothing is repeated.
    `refreshed` tells that the token was refreshed for this call already, `deferred_seconds` how long it has waited for
    its quota. Raises ValueError for attempts below 1 and jitter outside 0 to 1.
    """
    allowed = attempts_for(platform) if max_attempts is None else max_attempts
    match error:
        case ErrorClass.RATE:
            return _defer(retry_after, deferred_seconds)
        case ErrorClass.AUTH_EXPIRED if not refreshed:
            return RefreshToken()
        case ErrorClass.AUTH_EXPIRED:
            return PauseConnection("the platform refuses the access token even after refreshing it: connect again")
        case ErrorClass.AUTH_DEAD:
            return PauseConnection("the platform no longer accepts this authorisation: connect again")
        case ErrorClass.SIGN:
            return Park("the platform refuses the signature: check this machine's clock and the application's secret")
        case ErrorClass.VALID:
            return Fail("the platform refuses the content: correct it")
        case ErrorClass.LOCKED:
            return Hold(
                RECHECK_SECONDS if retry_after is None else retry_after, "the platform holds this value back for now"
            )
        case ErrorClass.MISSING:
            return Fail("the platform does not know this item: link the listing again")
        case ErrorClass.CONFLICT:
            again = _retry(attempts, min(allowed, 2), jitter)
            return again or Fail("the platform holds another value or a duplicate, also after reading again")
        case ErrorClass.SERVER | ErrorClass.NETWORK:
            return _retry(attempts, allowed, jitter) or Park(f"no success in {attempts} attempts ({error})")
        case ErrorClass.UNKNOWN:
            again = _retry(attempts, min(allowed, 2), jitter)
            return again or Park("an answer that is not understood, twice: read it, then release or drop")
        case _:
            assert_never(error)


def _retry(attempts: int, allowed: int, jitter: float) -> RetryAfter | None:
    return RetryAfter(delay_seconds(attempts, jitter), consumes_attempt=True) if attempts < allowed else None


def _defer(retry_after: float | None, deferred_seconds: float) -> RetryAfter | Park:
    if deferred_seconds >= MAX_DEFERRED_SECONDS:
        return Park("the platform has been refusing for its quota for a day")
    return RetryAfter(RATE_PAUSE_SECONDS if retry_after is None else max(retry_after, 0.0), consumes_attempt=False)
