"""What a view is: the facts it handles, the rows they fold into, and the table that holds them.

A row is the fold of facts of exactly one stream and carries the version of the last one. Whatever arrives again is
therefore recognised, and the rows of two generations of a view can be compared where their versions are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import fields

from domain.events import DomainEvent


class Row(Struct, kw_only=True):
    """The columns that every view has. A row is changed in place while its facts are folded."""

    org_id: str
    version: int
    """Of the stream, at the last fact folded into the row."""
    position: int
    """Of that fact in the whole store."""


class Fact(Protocol):
    """What folds may know of an event besides its data; `RecordedEvent` is one."""

    @property
    def org_id(self) -> str: ...
    @property
    def stream_id(self) -> str: ...
    @property
    def partition_key(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def occurred_at(self) -> datetime: ...


R = TypeVar("R", bound=Row)
S = TypeVar("S", bound=Row)


def _as_it_is(row: Any) -> Any:
    return row


class View(Struct, Generic[R, S], frozen=True, kw_only=True):
    """A read model whose rows are folded from facts: rows R as the table holds them, S as the fold works on them."""

    name: str
    shape: int
    """Counts up whenever the fold or the columns change: the view is then rebuilt beside the old one."""
    categories: tuple[str, ...]
    """Of the streams it is folded from."""
    row: type[R]
    key: str
    """The column that, with org_id, identifies a row."""
    key_of: Callable[[Fact, DomainEvent], str | None]
    """Which row a fact belongs to; None when it belongs to none."""
    fold: Callable[[S | None, Fact, DomainEvent], S | None]
    """The row after a fact. None: there is still no row."""
    folder: Path
    """Where tables.sql is: blocks `table`, `indexes` and `view`, with {table} and {view} for the names."""
    row_per_stream: bool = True
    """Whether each fact of a stream touches the one row of that stream, so that a missing one would show."""

    thaw: Callable[[R], S] = _as_it_is
    freeze: Callable[[S], R] = _as_it_is
    """Once per row and batch, so that what follows from the rest is not worked out for every fact."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field.encode_name for field in fields(self.row))


class Log(Struct, frozen=True, kw_only=True):
    """A read model that keeps facts as they are, one row each, told by stream and version."""

    name: str
    shape: int
    categories: tuple[str, ...]
    folder: Path
    """Where tables.sql is: besides those of a view, `copy` and `append` for live facts and `fill` for a rebuild."""


AnyView = View[Any, Any] | Log


def touch(row: Row, fact: Fact) -> None:
    row.version = fact.version
    row.position = fact.position
