"""What is remembered of more than there is room for."""

from __future__ import annotations

from services.usecases.remembered import Remembered


def test_the_least_recently_used_goes_first() -> None:
    remembered: Remembered[str, int] = Remembered(2)
    remembered.put("a", 1)
    remembered.put("b", 2)
    assert remembered.get("a") == 1
    remembered.put("c", 3)
    assert (remembered.get("a"), remembered.get("b"), remembered.get("c")) == (1, None, 3)


def test_what_is_put_again_replaces_and_counts_as_used() -> None:
    remembered: Remembered[str, int] = Remembered(2)
    remembered.put("a", 1)
    remembered.put("b", 2)
    remembered.put("a", 10)
    remembered.put("c", 3)
    assert (remembered.get("a"), remembered.get("b"), remembered.get("c")) == (10, None, 3)
