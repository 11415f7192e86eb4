import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed
from infrastructure.platforms.pace import Pace


class Time:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds


def paced(time: Time, rate: float, burst: int = 1, patience: float = 1e9) -> Pace:
    return Pace(rate, burst=burst, patience=patience, now=time.now, sleep=time.sleep)


@given(rate=st.floats(0.5, 500), burst=st.integers(1, 50), calls=st.integers(1, 300))
async def test_never_more_calls_than_the_rate_and_one_burst_allow(rate: float, burst: int, calls: int) -> None:
    time = Time()
    pace = paced(time, rate, burst)
    for _ in range(calls):
        await pace.acquire()
    assert calls <= burst + (time.at - 1000.0) * rate + 0.001


async def test_a_complaint_halves_the_rate_and_stops_calls_for_as_long_as_asked() -> None:
    time = Time()
    pace = paced(time, 10)
    pace.complained(30)
    assert pace.rate == 5
    await pace.acquire()
    assert time.at >= 1030


async def test_complaints_never_stop_a_connection_for_good_and_good_calls_restore_it() -> None:
    pace = paced(Time(), 10)
    for _ in range(100):
        pace.complained(None)
    assert pace.rate == 0.5
    for _ in range(100):
        pace.succeeded()
    assert pace.rate == 10


async def test_a_wait_beyond_patience_is_refused_with_its_length() -> None:
    time = Time()
    pace = paced(time, 10, patience=5)
    pace.complained(60)
    with pytest.raises(PlatformCallFailed) as failure:
        await pace.acquire()
    assert failure.value.error.error_class is ErrorClass.RATE
    assert failure.value.error.retry_after == pytest.approx(60.1, abs=0.2)
    assert time.at == 1000


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_a_pace_that_stands_still_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="rate above 0"):
        Pace(rate, burst=burst)
