"""A connection as threads use it: what it does it does in one piece, and breaks between any two statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import psycopg

from tests.simulation.database import STATEMENTS, Database, MustWait, Result, Transaction, Values
from tests.simulation.names.projector import NAMES
from tests.simulation.view_statements import put_row


class BlockingConnection:
    """As psycopg's Connection, made by `connect()`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: Transaction | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._open = one = Transaction(self._database)
        try:
            yield
            self._may_break()
            one.commit()
        finally:
            one.end()
            self._open = None

    def execute(self, text: str, values: Values | None = None) -> Answer:
        self._may_break()
        name, meaning = STATEMENTS.find(text)
        one = self._open or Transaction(self._database)
        try:
            result = meaning(one, values or {})
        except MustWait as must:
            raise psycopg.errors.LockNotAvailable("a thread here waits for nobody") from must
        if self._open is None:
            one.commit()
        self._database.note(f"thread {name}: {result.rowcount}")
        return Answer(result)

    def _may_break(self) -> None:
        if self._database.weather.loses_request():
            raise psycopg.OperationalError("the connection was lost")

    def cursor(self, *, binary: bool = False) -> BlockingCursor:
        return BlockingCursor(self)

    def put(self, table: str, row: dict[str, Any]) -> None:
        one = self._open or Transaction(self._database)
        assert one.get("view_rows", (table, row["org_id"], row[NAMES.key])) is None, "a row is there twice"
        put_row(one, table, row)
        if self._open is None:
            one.commit()


class Answer:
    def __init__(self, result: Result) -> None:
        self._rows = list(result.rows)
        self.rowcount = result.rowcount

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        return self._rows


class BlockingCursor:
    def __init__(self, connection: BlockingConnection) -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, text: str, values: Values) -> None:
        self._rows = self._connection.execute(text, values).fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    @contextmanager
    def copy(self, text: str) -> Iterator[Copy]:
        yield Copy(self._connection, text.split()[1])


class Copy:
    def __init__(self, connection: BlockingConnection, table: str) -> None:
        self._connection = connection
        self._table = table

    def set_types(self, types: Sequence[str]) -> None: ...

    def write_row(self, values: Sequence[Any]) -> None:
        self._connection.put(self._table, dict(zip(NAMES.columns, values, strict=True)))
