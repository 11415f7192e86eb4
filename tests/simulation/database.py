"""PostgreSQL's twin as far as our statements can tell: rows under locks, transactions, lost connections, power cuts.

A statement is one step under one snapshot; between sending it, its effect and its answer others run. It sees what is
committed and its own transaction's changes. A row that another transaction has changed is waited for, then the
statement looks anew, as under READ COMMITTED. What each of our named statements means stands in the `*_statements`
modules; one that is not there fails the schedule.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import psycopg
from psycopg_pool import PoolTimeout

from infrastructure.postgres.arrays import Texts
from tests.simulation.scheduler import Process, Scheduler, running

Row = tuple[Any, ...]
Values = Mapping[str, Any]
Meaning = Callable[["Transaction", Values], "Result"]
Place = tuple[str, Any]
"""A table and a key."""
GONE: Final = object()


def texts_in(array: Texts) -> list[str]:
    """None of them null. Behind the header, each follows its length."""
    found, at = [], 20
    while at < len(array):
        begin = at + 4
        at = begin + int.from_bytes(array[at:begin], "big")
        found.append(array[begin:at].decode())
    return found


class Result:
    """What a statement answers; `rowcount` is of rows answered unless told otherwise."""

    def __init__(self, rows: Sequence[Row] = (), rowcount: int | None = None) -> None:
        self.rows = rows
        self.rowcount = len(rows) if rowcount is None else rowcount


class Statements:
    """What statements mean, by their text; those whose text is made up as we go, by how it begins."""

    def __init__(self) -> None:
        self._exact: dict[str, tuple[str, Meaning]] = {}
        self._begins: list[tuple[str, str, Callable[[Transaction, str, Values], Result]]] = []

    def means(self, text: str, name: str) -> Callable[[Meaning], Meaning]:
        def keep(meaning: Meaning) -> Meaning:
            self._exact[text] = name, meaning
            return meaning

        return keep

    def begins(self, text: str, name: str) -> Callable[[Any], Any]:
        def keep(meaning: Callable[[Transaction, str, Values], Result]) -> Any:
            self._begins.append((text, name, meaning))
            return meaning

        return keep

    def find(self, text: str) -> tuple[str, Meaning]:
        found = self._exact.get(text)
        if found is not None:
            return found
        for begin, name, meaning in self._begins:
            if text.lstrip().startswith(begin):
                return name, lambda transaction, values, meaning=meaning: meaning(transaction, text, values)
        raise AssertionError(f"the twin of the database does not know this statement:\n{text}")

    def replaced(self, text: str, meaning: Meaning) -> Meaning:
        """Let a statement mean something else; answers what it meant."""
        name, before = self._exact[text]
        self._exact[text] = name, meaning
        return before


STATEMENTS: Final = Statements()


class MustWait(Exception):
    def __init__(self, holder: Transaction) -> None:
        self.holder = holder


class Transaction:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.changed: dict[Place, Any] = {}
        self.relaxed: list[Place] = []
        """Deleted without waiting for the disk."""
        self.locks: set[Place] = set()
        self.session: Connection | None = None
        self.over = False
        self.waits_for: Transaction | None = None
        self.waiters: list[Callable[[], None]] = []
        self.lock_timeout: float | None = None

    @property
    def now(self) -> float:
        return self.database.loop.time()

    def get(self, table: str, key: Any) -> Any:
        found = self.changed.get((table, key))
        if found is None:
            return self.database.tables[table].get(key)
        return None if found is GONE else found

    def scan(self, table: str) -> Iterator[tuple[Any, Any]]:
        """In the order of keys."""
        rows = dict(self.database.tables[table])
        for (name, key), row in self.changed.items():
            if name == table:
                if row is GONE:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        return iter(sorted(rows.items(), key=_key))

    def is_locked(self, table: str, key: Any) -> bool:
        """By somebody else."""
        holder = self.database.locks.get((table, key))
        return holder is not None and holder is not self

    def lock(self, table: str, key: Any) -> None:
        place = table, key
        holder = self.database.locks.get(place)
        if holder is None:
            self.database.locks[place] = self
            self.locks.add(place)
        elif holder is not self:
            raise MustWait(holder)

    def put(self, table: str, key: Any, row: Any) -> None:
        self.lock(table, key)
        self.changed[table, key] = row

    def remove(self, table: str, key: Any, *, relaxed: bool = False) -> None:
        self.lock(table, key)
        self.changed[table, key] = GONE
        if relaxed:
            self.relaxed.append((table, key))

    def commit(self) -> None:
        database = self.database
        if self.changed and len(self.relaxed) < len(self.changed):
            database.unflushed.clear()  # to the disk, and all that came before with it
        for (table, key), row in self.changed.items():
            if row is GONE:
                gone = database.tables[table].pop(key, None)
                if (table, key) in self.relaxed and gone is not None:
                    database.unflushed.append((table, key, gone))
            else:
                database.tables[table][key] = row
        self.end()

    def end(self) -> None:
        self.over = True
        for place in self.locks:
            del self.database.locks[place]
        self.locks.clear()
        self.changed.clear()
        waiters, self.waiters = self.waiters, []
        for wake in waiters:
            self.database.loop.later(0, wake)


def _key(item: tuple[Any, Any]) -> Any:
    return item[0]


class Weather:
    """What goes wrong between a client and a server, and how long things take."""

    def __init__(self, loop: Scheduler) -> None:
        self._loop = loop
        self.happened: Callable[[], None] = lambda: None
        self.fair = False
        self.lost_before = 0.004
        """Share of requests that are lost on their way."""
        self.lost_after = 0.008
        """Share of answers that are lost on their way back."""
        self.stalls = 0.003
        """Share of ways that take up to a second."""

    def delay(self) -> float:
        """Seconds."""
        luck = self._loop.random.random()
        if luck < 0.75 or self.fair:
            return 0.0
        if luck < 0.97:
            return luck * 0.004
        if luck < 1 - self.stalls:
            return luck * 0.06
        self.happened()
        return self._loop.random.random()

    def loses_request(self) -> bool:
        return self._strikes(self.lost_before)

    def loses_answer(self) -> bool:
        return self._strikes(self.lost_after)

    def _strikes(self, share: float) -> bool:
        if self.fair or self._loop.random.random() >= share:
            return False
        self.happened()
        return True


class Database:
    def __init__(self, loop: Scheduler, tables: Sequence[str]) -> None:
        self.loop = loop
        self.weather = Weather(loop)
        self.tables: dict[str, dict[Any, Any]] = {table: {} for table in tables}
        self.locks: dict[Place, Transaction] = {}
        self.unflushed: list[tuple[str, Any, Any]] = []
        self.sequences: dict[str, int] = {}
        self.appenders: dict[str, Any] = {}
        """Who holds the lock that an append takes."""
        self.running: set[str] = set()
        """Those of them that have a transaction id and have not ended."""
        self.advisory: dict[str, Any] = {}
        """Locks of sessions, by name."""
        self.trace: list[str] = []
        self.watch: Callable[[str, Values, Result], None] = lambda _, __, ___: None
        self._down = False
        self._connections: set[Connection] = set()

    def next_of(self, sequence: str) -> int:
        self.sequences[sequence] = number = self.sequences.get(sequence, 0) + 1
        return number

    def pool(self) -> Any:
        """What stands for psycopg's pool."""
        return Pool(self)

    def note(self, text: str) -> None:
        self.trace.append(f"{self.loop.time():10.4f} {text}")

    def fail_over(self, *, power_cut: bool) -> None:
        """Every connection breaks, open transactions are rolled back; deletes that did not wait for the disk return."""
        self.note("database restarts")
        for connection in sorted(self._connections, key=lambda one: one.number):
            connection.break_off()
        if power_cut and self.unflushed:
            kept = self.loop.random.randrange(len(self.unflushed))
            for table, key, row in self.unflushed[kept:]:
                self.tables[table][key] = row
        self.unflushed.clear()

    def end_of(self, process: Process) -> None:
        """The server notices that a client has died."""
        for connection in sorted(self._connections, key=lambda one: one.number):
            if connection.process is process:
                connection.break_off()


class Pool:
    def __init__(self, database: Database) -> None:
        self._database = database

    def connection(self) -> Connection:
        return Connection(self._database)


class Connection:
    """A connection of psycopg's, from the pool and back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: Transaction | None = None
        self._wishes_transaction = False
        self._broken = False
        self.process = running.get()
        self.number = database.next_of("connection")

    async def __aenter__(self) -> Self:
        if self._database.weather.loses_request():
            raise PoolTimeout("no connection in time")
        self._database._connections.add(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database._connections.discard(self)
        if self._open is not None:
            self._roll_back()

    def break_off(self) -> None:
        self._broken = True
        self._roll_back()
        held = self._database.advisory
        for name in [name for name, session in held.items() if session is self]:
            del held[name]
        self._database._connections.discard(self)

    def _roll_back(self) -> None:
        if self._open is not None:
            self._open.end()
            self._open = None

    def transaction(self) -> _Block:
        return _Block(self)

    def pipeline(self) -> _Pipeline:
        return _Pipeline()

    def cursor(self, *, binary: bool = False, row_factory: Any = None) -> Cursor:
        return Cursor(self, row_factory)

    async def execute(self, text: str, values: Values | None = None, *, prepare: bool | None = None) -> Cursor:
        return await self.cursor().execute(text, values)

    async def run(self, text: str, values: Values) -> Result:
        """Send a statement, let it have its effect some time, wait for the answer."""
        name, meaning = STATEMENTS.find(text)
        answer: asyncio.Future[Result] = self._database.loop.create_future()
        self._send(lambda: self._attempt(name, meaning, values, answer), answer, name)
        return await answer

    async def commit(self) -> None:
        answer: asyncio.Future[Result] = self._database.loop.create_future()
        self._send(lambda: self._commit(answer), answer, "commit")
        await answer

    async def roll_back(self) -> None:
        answer: asyncio.Future[Result] = self._database.loop.create_future()

        def effect() -> None:
            self._roll_back()
            self._answer(answer, Result(), "rollback")

        self._send(effect, answer, "rollback")
        await answer

    def _send(self, effect: Callable[[], None], answer: asyncio.Future[Result], name: str) -> None:
        database = self._database
        if self._broken:
            raise psycopg.OperationalError("the connection is closed")
        if database.weather.loses_request():
            database.note(f"{self._who} {name}: lost before")
            self.break_off()
            raise psycopg.OperationalError("the connection was lost")
        database.loop.later(database.weather.delay(), effect)

    @property
    def _who(self) -> str:
        return self.process.name if self.process is not None else "-"

    def begin(self) -> None:
        self._wishes_transaction = True

    def _attempt(self, name: str, meaning: Meaning, values: Values, answer: asyncio.Future[Result]) -> None:
        database = self._database
        if answer.done() and database.loop.random.random() < 0.5:  # cancelled, and the server heard of it in time
            return
        if self._broken:
            self._fail(answer, psycopg.OperationalError("the connection was lost"))
            return
        one = self._open
        alone = one is None and not self._wishes_transaction
        if one is None:
            one = Transaction(database)
            one.session = self
            if not alone:
                self._open = one
        one.waits_for = None
        before = dict(one.changed)
        try:
            result = meaning(one, values)
        except MustWait as must:
            one.changed = before
            if alone:
                one.end()
            self._wait(one, must.holder, lambda: self._attempt(name, meaning, values, answer), answer)
            return
        except psycopg.Error as error:
            self._roll_back()
            if alone:
                one.end()
            self._fail(answer, error)
            return
        if alone:
            one.commit()
        database.note(f"{self._who} {name}: {result.rowcount}")
        database.watch(name, values, result)
        self._answer(answer, result, name)

    def _wait(
        self, one: Transaction, holder: Transaction, again: Callable[[], None], answer: asyncio.Future[Result]
    ) -> None:
        database = self._database
        one.waits_for = chain = holder
        while (further := chain.waits_for) is not None and not chain.over:
            if further is one:
                self._roll_back()
                self._fail(answer, psycopg.errors.DeadlockDetected("deadlock detected"))
                return
            chain = further
        holder.waiters.append(again)
        if one.lock_timeout is not None:

            def give_up() -> None:
                if not answer.done() and one.waits_for is not None:
                    self._roll_back()
                    self._fail(answer, psycopg.errors.LockNotAvailable("lock timeout"))

            database.loop.later(one.lock_timeout, give_up)

    def _commit(self, answer: asyncio.Future[Result]) -> None:
        if self._broken:
            self._fail(answer, psycopg.OperationalError("the connection was lost"))
            return
        if self._open is not None:
            self._open.commit()
            self._open = None
        self._database.note(f"{self._who} commit")
        self._answer(answer, Result(), "commit")

    def _answer(self, answer: asyncio.Future[Result], result: Result, name: str) -> None:
        database = self._database
        if database.weather.loses_answer():
            database.note(f"{self._who} {name}: answer lost")
            self.break_off()
            self._fail(answer, psycopg.OperationalError("the connection was lost"))
            return
        database.loop.later(database.weather.delay(), _give, answer, result)

    def _fail(self, answer: asyncio.Future[Result], error: Exception) -> None:
        self._database.loop.later(0, _raise, answer, error)


def _give(answer: asyncio.Future[Result], result: Result) -> None:
    if not answer.done():
        answer.set_result(result)


def _raise(answer: asyncio.Future[Result], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


class Cursor:
    def __init__(self, connection: Connection, row_factory: Any = None) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.rowcount = -1
        self.adapters = _Adapters()
        self._row_factory = row_factory

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def execute(self, text: str, values: Values | None = None, *, prepare: bool | None = None) -> Self:
        result = await self._connection.run(text, values or {})
        self._rows, self.rowcount = list(result.rows), result.rowcount
        return self

    async def executemany(self, text: str, many: Sequence[Values]) -> None:
        for values in many:
            await self.execute(text, values)

    async def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows


class _Adapters:
    def register_loader(self, name: str, loader: Any) -> None:
        """Statements here answer what the real ones would after loading."""


class _Pipeline:
    async def __aenter__(self) -> None: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class _Block:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        self._connection.begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection = self._connection
        connection._wishes_transaction = False
        if error is None:
            await connection.commit()
        elif not connection._broken:
            with _ignoring():
                await connection.roll_back()


class _ignoring:  # noqa: N801  # reads as a verb
    """A lost connection rolls back as well."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return isinstance(error, psycopg.OperationalError)
