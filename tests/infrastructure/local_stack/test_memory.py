from __future__ import annotations

from pathlib import Path

import pytest

from infrastructure.local_stack.memory import cache_megabytes, memory_megabytes


def test_a_container_counts_on_what_it_may_have(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{96 * 2**20}\n")
    assert memory_megabytes([limit]) == 96


@pytest.mark.parametrize("says", ["max\n", f"{2**63 - 4096}\n", None])
def test_without_a_limit_it_is_the_machines(tmp_path: Path, says: str | None) -> None:
    limit = tmp_path / "memory.max"
    if says is not None:
        limit.write_text(says)
    assert memory_megabytes([limit]) == memory_megabytes([]) > 256


@pytest.mark.parametrize(("memory", "cache"), [(1_000, 256), (8_000, 1_000), (64_000, 2_048)])
def test_the_database_caches_in_an_eighth_of_the_memory_within_limits(memory: int, cache: int) -> None:
    assert cache_megabytes(memory) == cache
