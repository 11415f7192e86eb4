"""Rows of `events` as recorded events; their JSON stays the bytes it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from domain.messages import RecordedEvent

FIELDS: Final = RecordedEvent.__struct_fields__
"""The columns of every query over `events`, in this order."""


class JsonBytes(Loader):
    """Leaves JSON undecoded: the domain decodes it by the event's own type."""

    format = Format.BINARY

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def recorded(row: Sequence[Any]) -> RecordedEvent:
    return RecordedEvent(**dict(zip(FIELDS, row, strict=True)))
