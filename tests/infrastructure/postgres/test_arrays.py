import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.postgres import arrays

JAKARTA = timezone(timedelta(hours=7))
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


def returned(connection: psycopg.Connection, array: arrays.Array) -> tuple[str, list[Any]]:
    """What the server understood: the type and the values."""
    row = connection.execute("select pg_typeof(%(x)b)::text, %(x)b", {"x": array}).fetchone()
    assert row is not None
    return row[0], row[1]


@pytest.mark.parametrize(
    ("make", "type_", "values"),
    [
        (arrays.texts, "text[]", ["", "batik", None, 'koma, "kutip" {kurung}', "é\U0001f9f5"]),
        (arrays.texts, "text[]", [None, None]),
        (arrays.blobs, "bytea[]", [b"", b"\x00\xff", None]),
        (arrays.uuids, "uuid[]", [uuid4(), None, UUID(int=0)]),
        (arrays.integers, "integer[]", [0, -1, 2**31 - 1, -(2**31)]),
        (arrays.small_integers, "smallint[]", [0, 63, -(2**15)]),
    ],
)
def test_values_arrive_as_they_are_and_under_one_type(
    connection: psycopg.Connection, make: Any, type_: str, values: Sequence[Any]
) -> None:
    assert returned(connection, make(values)) == (type_, list(values))
    assert returned(connection, make([])) == (type_, [])


def test_texts_that_are_encoded_already_arrive_as_texts(connection: psycopg.Connection) -> None:
    assert returned(connection, arrays.utf8(["é".encode(), b"{}"])) == ("text[]", ["é", "{}"])


def test_moments_keep_their_microsecond_whatever_their_zone(connection: psycopg.Connection) -> None:
    values = [
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 3, 1, 17, 0, 0, 1, tzinfo=JAKARTA),
    ]
    assert returned(connection, arrays.moments(values)) == ("timestamp with time zone[]", values)


@pytest.mark.parametrize(("make", "value"), [(arrays.integers, 2**31), (arrays.small_integers, 2**15)])
def test_numbers_out_of_range_are_refused(make: Any, value: int) -> None:
    with pytest.raises(struct.error, match=r"format requires|argument out of range"):
        make([value])


@given(st.lists(st.none() | TEXT))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_arrive(connection: psycopg.Connection, values: list[str | None]) -> None:
    assert returned(connection, arrays.texts(values))[1] == values


def test_lists_in_copy_are_left_to_the_driver(connection: psycopg.Connection) -> None:
    connection.execute("create temporary table copied (tags text[], numbers integer[])")
    with connection.cursor().copy("copy copied from stdin (format binary)") as copy:
        copy.set_types(["text[]", "int4[]"])
        copy.write_row((["batik", "solo"], [1, 2]))
    assert connection.execute("select tags, numbers from copied").fetchall() == [(["batik", "solo"], [1, 2])]
