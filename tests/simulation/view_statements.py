"""What the statements of views and of their rebuild mean."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import errors

from infrastructure.outbox.reader import Pending
from infrastructure.postgres.statements import load
from projections import rebuild
from projections.checkpoints import sql as GENERATIONS  # noqa: N812  # a table of statements, as its sisters
from projections.runner import _sql as RUNNER  # noqa: N812
from projections.tables import COLUMN_TYPES
from tests.simulation.database import STATEMENTS, Result, Transaction, Values, texts_in
from tests.simulation.names.projector import NAMES

REBUILD: Final = load(Path(rebuild.__file__).with_suffix(".sql"))
TABLES: Final = ("projection_generations", "projection_buckets", "view_tables", "view_rows", "views")
Edge = tuple[str, str] | None


class Generation(NamedTuple):
    shape: int
    state: str
    events: int | None


class Bucket(NamedTuple):
    after: Edge
    up_to: Edge
    expected: int
    events: int | None


def _generations(tx: Transaction, view: str) -> list[tuple[int, Generation]]:
    return [(number, one) for (name, number), one in tx.scan("projection_generations") if name == view]


@STATEMENTS.means(GENERATIONS["live"], "live")
def _live(tx: Transaction, p: Values) -> Result:
    return Result(
        [(name, number, one.shape) for (name, number), one in tx.scan("projection_generations") if one.state == "live"]
    )


@STATEMENTS.means(GENERATIONS["of_view"], "generations")
def _of_view(tx: Transaction, p: Values) -> Result:
    return Result(
        [(number, one.shape, one.state, None, None, one.events) for number, one in _generations(tx, p["view"])]
    )


@STATEMENTS.means(GENERATIONS["begin"], "begin generation")
def _begin(tx: Transaction, p: Values) -> Result:
    number = max((number for number, _ in _generations(tx, p["view"])), default=0) + 1
    tx.put("projection_generations", (p["view"], number), Generation(p["shape"], "building", None))
    return Result([(number,)])


@STATEMENTS.means(GENERATIONS["retire"], "retire")
def _retire(tx: Transaction, p: Values) -> Result:
    for number, one in _generations(tx, p["view"]):
        if one.state == "live":
            tx.put("projection_generations", (p["view"], number), one._replace(state="retired"))
    return Result()


@STATEMENTS.means(GENERATIONS["enliven"], "enliven")
def _enliven(tx: Transaction, p: Values) -> Result:
    key = p["view"], p["generation"]
    one: Generation | None = tx.get("projection_generations", key)
    if one is None:
        return Result(rowcount=0)
    tx.put("projection_generations", key, one._replace(state="live", events=p["events"]))
    return Result(rowcount=1)


@STATEMENTS.means(GENERATIONS["forget"], "forget generation")
def _forget(tx: Transaction, p: Values) -> Result:
    key = p["view"], p["generation"]
    one: Generation | None = tx.get("projection_generations", key)
    if one is not None and one.state != "live":
        tx.remove("projection_generations", key)
        for place, _ in list(tx.scan("projection_buckets")):
            if place[:2] == key:
                tx.remove("projection_buckets", place)
    return Result()


@STATEMENTS.means(REBUILD["cut_buckets"], "cut buckets")
def _cut(tx: Transaction, p: Values) -> Result:
    ends: dict[int, tuple[tuple[str, str], int]] = {}
    total = 0
    for place, facts in sorted(_streams(tx).items()):
        total += len(facts)
        number = (total - 1) // p["events_per_bucket"]
        ends[number] = place, ends.get(number, (place, 0))[1] + len(facts)
    after: Edge = None
    cut = sorted(ends.items()) or [(0, (("", ""), 0))]
    for number, (_, (up_to, expected)) in enumerate(cut, start=1):
        edge = None if number == len(cut) else up_to
        tx.put("projection_buckets", (p["view"], p["generation"], number), Bucket(after, edge, expected, None))
        after = edge
    return Result()


def _streams(tx: Transaction) -> dict[tuple[str, str], list[Pending]]:
    found: dict[tuple[str, str], list[Pending]] = defaultdict(list)
    for _, row in tx.scan("events"):
        found[row.org_id.decode(), row.stream_id.decode()].append(row)
    return found


def _buckets(tx: Transaction, p: Values) -> list[tuple[tuple[str, int, int], Bucket]]:
    return [(place, one) for place, one in tx.scan("projection_buckets") if place[:2] == (p["view"], p["generation"])]


@STATEMENTS.means(REBUILD["buckets"], "buckets")
def _tell_buckets(tx: Transaction, p: Values) -> Result:
    return Result([(one.expected, one.events) for _, one in _buckets(tx, p)])


@STATEMENTS.means(REBUILD["take_bucket"], "take bucket")
def _take(tx: Transaction, p: Values) -> Result:
    for place, one in _buckets(tx, p):
        if one.events is None and not tx.is_locked("projection_buckets", place):
            tx.lock("projection_buckets", place)
            return Result([(place[2], *(one.after or (None, None)), *(one.up_to or (None, None)))])
    return Result()


@STATEMENTS.means(REBUILD["wait_for_buckets"], "wait for buckets")
def _wait(tx: Transaction, p: Values) -> Result:
    for place, one in _buckets(tx, p):
        if one.events is None:
            tx.lock("projection_buckets", place)
    return Result()


@STATEMENTS.means(REBUILD["finish_bucket"], "finish bucket")
def _finish(tx: Transaction, p: Values) -> Result:
    place = p["view"], p["generation"], p["bucket"]
    one: Bucket = tx.get("projection_buckets", place)
    tx.put("projection_buckets", place, one._replace(events=p["events"]))
    return Result()


@STATEMENTS.means(REBUILD["has_indexes"], "has indexes")
def _has_indexes(tx: Transaction, p: Values) -> Result:
    return Result([(tx.get("view_tables", p["table"]) == "indexed",)])


@STATEMENTS.begins(REBUILD["streams_of"].partition("{range}")[0], "streams")
def _streams_of(tx: Transaction, text: str, p: Values) -> Result:
    after, up_to = (p["after_org"], p["after_stream"]), (p["up_to_org"], p["up_to_stream"])
    found = []
    for place, rows in sorted(_streams(tx).items()):
        if (after[0] is None or place > after) and (up_to[0] is None or place <= up_to):
            facts = ",".join(
                f'[{row.version},{row.position},"{row.type.decode()}",{row.schema},{row.occurred_at.decode()},'
                f"{row.data.decode()}]"
                for row in rows
            )
            found.append((*place, rows[0].partition_key.decode(), f"[{facts}]".encode()))
    return Result(found)


@STATEMENTS.means(RUNNER["missing"], "missing events")
def _missing(tx: Transaction, p: Values) -> Result:
    raise AssertionError("Kafka has lost nothing here")


def _table_in(text: str, word: str) -> str:
    """The name behind a word, up to whatever cannot be part of a name."""
    name = text.partition(word)[2].split()[0]
    return name.partition("(")[0]


@STATEMENTS.begins("create table projections.", "create table")
def _create_table(tx: Transaction, text: str, p: Values) -> Result:
    table = _table_in(text, "create table ")
    if tx.get("view_tables", table) is not None:
        raise errors.DuplicateTable(table)
    tx.put("view_tables", table, "bare")
    return Result()


@STATEMENTS.begins("alter table projections.", "alter table")
def _alter_table(tx: Transaction, text: str, p: Values) -> Result:
    table = _there(tx, _table_in(text, "alter table "))
    if "add primary key" in text:
        tx.put("view_tables", table, "indexed")
    return Result()


@STATEMENTS.begins("drop table if exists projections.", "drop table")
def _drop_table(tx: Transaction, text: str, p: Values) -> Result:
    table = _table_in(text, "if exists ")
    if tx.get("view_tables", table) is not None:
        tx.remove("view_tables", table)
    for place, _ in list(tx.scan("view_rows")):
        if place[0] == table:
            tx.remove("view_rows", place)
    return Result()


@STATEMENTS.begins("create or replace view projections.", "replace view")
def _replace_view(tx: Transaction, text: str, p: Values) -> Result:
    weather = tx.database.weather
    if not weather.fair and tx.database.loop.random.random() < 0.2:
        weather.happened()
        raise errors.LockNotAvailable("readers are in the way")
    tx.put("views", _table_in(text, "view "), _there(tx, _table_in(text, "from ")))
    return Result()


def _there(tx: Transaction, table: str) -> str:
    if tx.get("view_tables", table) is None:
        raise errors.UndefinedTable(table)
    return table


@STATEMENTS.begins("select row_to_json(t)::text", "load rows")
def _load_rows(tx: Transaction, text: str, p: Values) -> Result:
    table = _there(tx, _table_in(text, "select * from "))
    found = (
        tx.get("view_rows", (table, org, key))
        for org, key in zip(texts_in(p["orgs"]), texts_in(p["keys"]), strict=True)
    )
    return Result([(json.dumps(row),) for row in found if row is not None])


@STATEMENTS.begins("insert into projections.", "store rows")
def _store_rows(tx: Transaction, text: str, p: Values) -> Result:
    table = _there(tx, _table_in(text, "insert into "))
    for row in json.loads(p["rows"]):
        put_row(tx, table, row)
    return Result()


def put_row(tx: Transaction, table: str, row: dict[str, Any]) -> None:
    place = table, row["org_id"], row[NAMES.key]
    tx.lock("view_rows", place)
    before = tx.get("view_rows", place)
    if before is None or before["version"] < row["version"]:
        tx.put("view_rows", place, row)


@STATEMENTS.begins("select concat_ws('/',", "compare")
def _compare(tx: Transaction, text: str, p: Values) -> Result:
    left, right = _table_in(text, "from "), _table_in(text, "join ")
    found = []
    for (table, org, key), row in tx.scan("view_rows"):
        other = tx.get("view_rows", (right, org, key))
        if table == left and other is not None and other["version"] == row["version"] and other != row:
            found.append((f"{org}/{key}", row["version"], json.dumps(row), json.dumps(other)))
    return Result(found)


@STATEMENTS.begins("select pg_try_advisory_lock(", "try lock")
def _try_lock(tx: Transaction, text: str, p: Values) -> Result:
    held = tx.database.advisory
    taken = held.setdefault(p["name"], tx.session) is tx.session
    return Result([(taken,)])


@STATEMENTS.begins("select pg_advisory_unlock(", "unlock")
def _unlock(tx: Transaction, text: str, p: Values) -> Result:
    if tx.database.advisory.get(p["name"]) is tx.session:
        del tx.database.advisory[p["name"]]
    return Result([(True,)])


@STATEMENTS.begins("set local lock_timeout = ", "set lock timeout")
def _lock_timeout(tx: Transaction, text: str, p: Values) -> Result:
    tx.lock_timeout = int(text.rpartition(" ")[2]) / 1000
    return Result()


@STATEMENTS.means(COLUMN_TYPES, "columns")
def _columns(tx: Transaction, p: Values) -> Result:
    return Result([(name, "text") for name in NAMES.columns])


@STATEMENTS.begins("grant select on projections.", "grant")
@STATEMENTS.begins("analyze projections.", "analyze")
@STATEMENTS.begins("set local maintenance_work_mem", "set memory")
@STATEMENTS.begins("set local statement_timeout = 0", "set statement timeout")
def _nothing(tx: Transaction, text: str, p: Values) -> Result:
    return Result()
