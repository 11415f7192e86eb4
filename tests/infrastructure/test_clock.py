from __future__ import annotations

from datetime import UTC

from infrastructure.clock import SystemClock, TimeSortedIdentities


def test_the_clock_speaks_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_identities_are_version_seven_and_distinct_and_sort_by_millisecond() -> None:
    identities = TimeSortedIdentities()
    made = [identities.new() for _ in range(1000)]
    assert {identity.version for identity in made} == {7}
    assert {identity.variant for identity in made} == {"specified in RFC 4122"}
    assert len(set(made)) == len(made)
    milliseconds = [identity.int >> 80 for identity in made]
    assert milliseconds == sorted(milliseconds)
