from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.retry import (
    MAX_DEFERRED_SECONDS,
    ErrorClass,
    Fail,
    Hold,
    NextStep,
    Park,
    PauseConnection,
    RefreshToken,
    RetryAfter,
    attempts_for,
    delay_seconds,
    next_step,
)
from domain.values import Platform


def waits_of(platform: Platform, *, jitter: float = 0.0, max_attempts: int | None = None) -> list[float]:
    """All waits of a call that meets nothing but server errors, until it is set aside."""
    waits: list[float] = []
    for attempts in range(1, 100):
        step = next_step(ErrorClass.SERVER, attempts, platform, jitter=jitter, max_attempts=max_attempts)
        if not isinstance(step, RetryAfter):
            assert isinstance(step, Park)
            return waits
        assert step.consumes_attempt
        waits.append(step.seconds)
    raise AssertionError("never set aside")


@pytest.mark.parametrize(
    ("platform", "waits"),
    [
        (Platform.SHOPEE, [1, 2, 4, 8]),
        (Platform.TIKTOK_SHOP, [1, 2]),
        (Platform.LAZADA, [1, 2]),
        (Platform.BLIBLI, [1, 2]),
        (Platform.WEBSITE, [1, 2]),
    ],
)
def test_each_platform_is_tried_as_often_as_the_table_says(platform: Platform, waits: list[float]) -> None:
    assert waits_of(platform) == waits
    assert attempts_for(platform) == len(waits) + 1


@pytest.mark.parametrize(
    ("platform", "total", "with_jitter"), [(Platform.SHOPEE, 15, 16.5), (Platform.TIKTOK_SHOP, 3, 3.3)]
)
def test_waits_add_up_to_the_table(platform: Platform, total: float, with_jitter: float) -> None:
    assert sum(waits_of(platform)) == total
    assert sum(waits_of(platform, jitter=1.0)) == pytest.approx(with_jitter)


def test_the_sixth_wait_is_the_first_at_the_cap() -> None:
    waits = waits_of(Platform.SHOPEE, max_attempts=7)
    assert waits == [1, 2, 4, 8, 16, 30]
    assert sum(waits) == 61


@pytest.mark.parametrize("max_attempts", [0, 1])
def test_no_attempts_allowed_means_none_and_not_the_default(max_attempts: int) -> None:
    assert waits_of(Platform.SHOPEE, max_attempts=max_attempts) == []


@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 60), (0, 0), (7.5, 7.5), (3_600, 3_600), (-1, 0)])
@pytest.mark.parametrize("attempts", [1, 5, 50])
def test_too_many_requests_is_deferred_without_using_an_attempt(
    attempts: int, retry_after: float | None, seconds: float
) -> None:
    step = next_step(ErrorClass.RATE, attempts, Platform.SHOPEE, retry_after=retry_after)
    assert step == RetryAfter(seconds, consumes_attempt=False)


def test_deferring_ends_after_a_day() -> None:
    step = next_step(ErrorClass.RATE, 1, Platform.SHOPEE, deferred_seconds=MAX_DEFERRED_SECONDS)
    assert isinstance(step, Park)


def test_an_expired_token_is_refreshed_once_then_the_connection_pauses() -> None:
    assert next_step(ErrorClass.AUTH_EXPIRED, 1, Platform.SHOPEE) == RefreshToken()
    again = next_step(ErrorClass.AUTH_EXPIRED, 2, Platform.SHOPEE, refreshed=True)
    assert isinstance(again, PauseConnection)


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (ErrorClass.AUTH_DEAD, PauseConnection),
        (ErrorClass.SIGN, Park),
        (ErrorClass.VALID, Fail),
        (ErrorClass.MISSING, Fail),
        (ErrorClass.LOCKED, Hold),
    ],
)
def test_what_repeating_cannot_cure_is_not_repeated(error: ErrorClass, step: type[NextStep]) -> None:
    assert isinstance(next_step(error, 1, Platform.SHOPEE), step)


@pytest.mark.parametrize(("retry_after", "recheck"), [(None, 900), (0, 0), (30, 30)])
def test_a_locked_value_is_held_and_looked_at_again(retry_after: float | None, recheck: float) -> None:
    held = next_step(ErrorClass.LOCKED, 9, Platform.SHOPEE, retry_after=retry_after)
    assert isinstance(held, Hold)
    assert held.recheck_seconds == recheck


@pytest.mark.parametrize(("error", "after"), [(ErrorClass.UNKNOWN, Park), (ErrorClass.CONFLICT, Fail)])
def test_what_is_not_understood_is_tried_once_more(error: ErrorClass, after: type[NextStep]) -> None:
    assert next_step(error, 1, Platform.SHOPEE) == RetryAfter(1, consumes_attempt=True)
    assert isinstance(next_step(error, 2, Platform.SHOPEE), after)
    assert isinstance(next_step(error, 1, Platform.SHOPEE, max_attempts=1), after)


def test_wire_names_of_error_classes_are_frozen() -> None:
    assert [str(error) for error in ErrorClass] == [
        "rate", "auth_expired", "auth_dead", "sign", "valid", "locked", "missing", "conflict", "server", "network",
        "unknown",
    ]  # fmt: skip


@pytest.mark.parametrize("jitter", [-0.1, 1.1, float("nan")])
def test_a_jitter_outside_its_range_is_an_error(jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter"):
        delay_seconds(1, jitter)


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        delay_seconds(0)


@given(
    st.sampled_from(ErrorClass),
    st.integers(1, 10**6),
    st.sampled_from(Platform),
    st.none() | st.floats(0, 10**6),
    st.floats(0, 1),
    st.none() | st.integers(0, 100),
    st.booleans(),
)
def test_there_is_always_a_next_step_and_attempts_run_out(
    error: ErrorClass,
    attempts: int,
    platform: Platform,
    retry_after: float | None,
    jitter: float,
    max_attempts: int | None,
    refreshed: bool,
) -> None:
    step = next_step(
        error,
        attempts,
        platform,
        retry_after=retry_after,
        jitter=jitter,
        max_attempts=max_attempts,
        refreshed=refreshed,
    )
    if isinstance(step, RetryAfter) and step.consumes_attempt:
        assert attempts < (attempts_for(platform) if max_attempts is None else max_attempts)
        assert 1 <= step.seconds <= 33
    if isinstance(step, Hold | PauseConnection | Fail | Park):
        assert step.reason
