"""What every relay is given to publish."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """One message for Kafka. Headers are text, as the peers keep them."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]

    def header_texts(self) -> dict[str, str]:
        return {name: value.decode() for name, value in self.headers}
