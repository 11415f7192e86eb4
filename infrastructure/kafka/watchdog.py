"""Notices a consumer that stands still: records wait, and its offset does not move."""

from __future__ import annotations

from collections.abc import Mapping

from infrastructure.kafka.offsets import Partition


class Watchdog:
    """Times are seconds of one monotonic clock."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._moved: dict[Partition, tuple[int, float]] = {}

    def observe(
        self, now: float, positions: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> frozenset[Partition]:
        """Partitions that have had records waiting, without any move, for longer than the patience."""
        for gone in self._moved.keys() - positions.keys():
            del self._moved[gone]
        stalled = set()
        for partition, position in positions.items():
            seen, since = self._moved.get(partition, (-1, now))
            if position != seen or position >= ends.get(partition, 0):
                self._moved[partition] = (position, now)
            elif now - since > self._patience:
                stalled.add(partition)
        return frozenset(stalled)

    def forgive(self) -> None:
        """Start counting anew, after something was done about it."""
        self._moved.clear()
