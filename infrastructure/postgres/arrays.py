"""Columns of values as PostgreSQL arrays in binary form, each with the type its SQL expects.

psycopg's own lists take the type of what happens to be in them (small integers, only nulls, nothing), so that one
statement would be prepared again and again under other types. Every connection takes these: `%(x)b`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final
from uuid import UUID

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_NULL: Final = b"\xff\xff\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000
"""In microseconds."""
_length: Final = struct.Struct(">i").pack
_short: Final = struct.Struct(">ih").pack
_integer: Final = struct.Struct(">ii").pack
_long: Final = struct.Struct(">iq").pack
_header: Final = struct.Struct(">iiIii").pack


class Array(bytes):
    """One dimension counted from 1, as `array_recv` reads it."""

    oid: ClassVar[int]
    element_oid: ClassVar[int]


class Texts(Array):
    oid, element_oid = 1009, 25


class Blobs(Array):
    oid, element_oid = 1001, 17


class Uuids(Array):
    oid, element_oid = 2951, 2950


class Moments(Array):
    oid, element_oid = 1185, 1184


class Integers(Array):
    oid, element_oid = 1007, 23


class SmallIntegers(Array):
    oid, element_oid = 1005, 21


def texts(values: Sequence[str | None]) -> Texts:
    return Texts(_encoded(Texts, [None if value is None else value.encode() for value in values]))


def blobs(values: Sequence[bytes | None]) -> Blobs:
    return Blobs(_encoded(Blobs, values))


def utf8(values: Sequence[bytes]) -> Texts:
    """Texts that are encoded already."""
    return Texts(_encoded(Texts, values))


def uuids(values: Sequence[UUID | None]) -> Uuids:
    return Uuids(_encoded(Uuids, [None if value is None else value.bytes for value in values]))


def moments(values: Sequence[datetime]) -> Moments:
    """Times with a zone."""
    since = [value - _EPOCH for value in values]
    return Moments(
        _start(Moments, len(values))
        + b"".join([_long(8, one.days * _DAY + one.seconds * 1_000_000 + one.microseconds) for one in since])
    )


def integers(values: Sequence[int]) -> Integers:
    return Integers(_start(Integers, len(values)) + b"".join([_integer(4, value) for value in values]))


def small_integers(values: Sequence[int]) -> SmallIntegers:
    return SmallIntegers(_start(SmallIntegers, len(values)) + b"".join([_short(2, value) for value in values]))


def _start(kind: type[Array], length: int, *, nulls: bool = False) -> bytes:
    if length == 0:
        return struct.pack(">iiI", 0, 0, kind.element_oid)
    return _header(1, nulls, kind.element_oid, length, 1)


def _encoded(kind: type[Array], values: Sequence[bytes | None]) -> bytes:
    parts: list[bytes] = []
    nulls = False
    for value in values:
        if value is None:
            nulls = True
            parts.append(_NULL)
        else:
            parts.append(_length(len(value)))
            parts.append(value)
    return _start(kind, len(values), nulls=nulls) + b"".join(parts)


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def __init__(self, cls: type[Array], context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        # Of the instance, not of the class: psycopg would take the class for lists in COPY as well.
        self.oid = cls.oid

    def dump(self, obj: Array) -> Buffer:
        return obj


for _kind in (Texts, Blobs, Uuids, Moments, Integers, SmallIntegers):
    psycopg.adapters.register_dumper(_kind, _ArrayDumper)
