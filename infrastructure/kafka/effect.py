"""What a consumer does with events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from psycopg import AsyncConnection

from domain.messages import RecordedEvent


class Effect(Protocol):
    """The work of a consumer, done inside the transaction that advances its offsets: both happen or neither does."""

    @property
    def name(self) -> str:
        """Names the consumer: the ending of its group id and the key of its offsets."""
        ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:
        """Apply events, in order per key.

        Raises whatever is wrong: faults of database and network are waited out, for others the event is found and
        parked.
        """
        ...
