"""A set of event positions in one bit each: ten million events take little more than a megabyte."""

from __future__ import annotations

from collections.abc import Iterator


class Positions:
    def __init__(self) -> None:
        self._bits = bytearray()
        self._count = 0

    def add(self, position: int) -> bool:
        """Whether it was not there before."""
        place, bit = position >> 3, 1 << (position & 7)
        if place >= len(self._bits):
            self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits) >> 1)))
        if self._bits[place] & bit:
            return False
        self._bits[place] |= bit
        self._count += 1
        return True

    def __contains__(self, position: int) -> bool:
        place = position >> 3
        return place < len(self._bits) and bool(self._bits[place] & 1 << (position & 7))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        """In order."""
        for place, byte in enumerate(self._bits):
            if byte:
                yield from (place << 3 | bit for bit in range(8) if byte & 1 << bit)
