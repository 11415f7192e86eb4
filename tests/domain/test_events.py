"""Stored events outlive the code that wrote them: wire names are frozen, old bytes stay readable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from domain.errors import BrokenHistory
from domain.events import (
    EVENT_TYPES,
    UPCASTERS,
    Codec,
    DomainEvent,
    EventType,
    SchemaFromFuture,
    UnknownEventType,
    UnreadableEvent,
    decode,
    encode,
)
from tests.domain.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"

FROZEN = [
    ("product.created", 1),
    ("product.renamed", 1),
    ("product.described", 1),
    ("product.base-price-changed", 1),
    ("product.cost-price-changed", 1),
    ("product.dimensions-changed", 1),
    ("product.categorised", 1),
    ("product.tagged", 1),
    ("product.images-changed", 1),
    ("product.variant-added", 1),
    ("product.variant-changed", 1),
    ("product.variant-removed", 1),
    ("product.platform-override-changed", 1),
    ("product.activated", 1),
    ("product.deactivated", 1),
    ("product.archived", 1),
    ("product.restored", 1),
    ("stock.received", 1),
    ("stock.counted", 1),
    ("stock.adjusted", 1),
    ("listing.opened", 1),
    ("listing.linked", 1),
    ("listing.unlinked", 1),
    ("listing.desired-changed", 1),
    ("listing.shadow-observed", 1),
    ("listing.push-confirmed", 1),
    ("listing.push-refused", 1),
    ("listing.push-held", 1),
    ("listing.hold-released", 1),
    ("listing.review-started", 1),
    ("listing.review-ended", 1),
    ("listing.paused", 1),
    ("listing.resumed", 1),
    ("listing.conflict-detected", 1),
    ("listing.conflict-resolved", 1),
    ("listing.drift-found", 1),
    ("listing.override-kept", 1),
    ("connection.opened", 1),
    ("connection.pricing-rule-changed", 1),
    ("connection.conflict-policy-changed", 1),
    ("connection.categories-changed", 1),
    ("connection.paused", 1),
    ("connection.resumed", 1),
]
"""Written out, so that a renamed type is a change here as well. Names are added, never taken away."""


def test_wire_names_are_frozen() -> None:
    assert [(kind.name, kind.schema) for kind in EVENT_TYPES] == FROZEN


def test_every_event_shape_has_one_wire_name() -> None:
    shapes = [kind.shape for kind in EVENT_TYPES]
    assert len(set(shapes)) == len(shapes)
    assert set(shapes) == set(DomainEvent.__args__)


def test_there_is_a_sample_of_every_type_in_order() -> None:
    assert [encode(sample)[0] for sample in SAMPLES] == [kind.name for kind in EVENT_TYPES]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: encode(sample)[0])
def test_stored_bytes_are_what_they_were(sample: DomainEvent) -> None:
    """A new event type gets its file by writing `encode(sample)[2]` to it once; afterwards the file stays."""
    name, schema, data = encode(sample)
    stored = (GOLDEN / f"{name}.v{schema}.json").read_bytes().rstrip(b"\n")
    assert data == stored
    assert decode(name, schema, stored) == sample


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_file_is_readable_today(path: Path) -> None:
    name, _, schema = path.stem.rpartition(".v")
    event = decode(name, int(schema), path.read_bytes())
    assert encode(event)[0] == name


def test_every_version_that_was_ever_written_has_its_file_and_its_way_up() -> None:
    for kind in EVENT_TYPES:
        for schema in range(1, kind.schema + 1):
            assert (GOLDEN / f"{kind.name}.v{schema}.json").exists()
            assert schema == kind.schema or (kind.name, schema) in UPCASTERS


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(UnknownEventType, match=r"product\.sung"):
        decode("product.sung", 1, b"{}")


def test_a_schema_from_the_future_asks_for_an_upgrade() -> None:
    with pytest.raises(SchemaFromFuture, match="reads up to 1"):
        decode("product.renamed", 2, b'{"old":"a","new":"b"}')


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"old":"a"}', b'{"old":1,"new":"b"}', b"\xff", b"null"])
def test_data_that_does_not_have_its_shape_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableEvent, match=r"product\.renamed"):
        decode("product.renamed", 1, data)


def test_all_of_these_are_one_kind_of_trouble() -> None:
    for kind in (UnknownEventType, SchemaFromFuture, UnreadableEvent):
        assert issubclass(kind, BrokenHistory)


def test_a_field_that_a_newer_writer_added_is_passed_over() -> None:
    assert encode(decode("product.renamed", 1, b'{"old":"a","new":"b","why":"c"}'))[2] == b'{"old":"a","new":"b"}'


class Moved(Struct, frozen=True, kw_only=True):
    """What `product.moved` looks like today: version 1 had `place`, version 2 `room` and `shelf` in one string."""

    room: str
    shelf: int


def _named_spot(data: dict[str, Any]) -> dict[str, Any]:
    return {"spot": data["place"]}


def _split_spot(data: dict[str, Any]) -> dict[str, Any]:
    room, shelf = data["spot"].split("/")
    return {"room": room, "shelf": int(shelf)}


TABLE = Codec(
    [EventType("product.moved", 3, Moved)], {("product.moved", 1): _named_spot, ("product.moved", 2): _split_spot}
)


@pytest.mark.parametrize(
    ("schema", "data"), [(1, b'{"place":"hall/3"}'), (2, b'{"spot":"hall/3"}'), (3, b'{"room":"hall","shelf":3}')]
)
def test_old_bytes_are_lifted_version_by_version(schema: int, data: bytes) -> None:
    assert TABLE.decode("product.moved", schema, data) == Moved(room="hall", shelf=3)
    assert TABLE.encode(Moved(room="hall", shelf=3)) == ("product.moved", 3, b'{"room":"hall","shelf":3}')


@pytest.mark.parametrize(
    ("schema", "data"),
    [(1, b'{"spot":"hall/3"}'), (2, b'{"spot":"hall"}'), (2, b'{"spot":7}'), (1, b"[]"), (1, b"{"), (3, b"{}")],
)
def test_old_bytes_that_cannot_be_lifted_are_unreadable(schema: int, data: bytes) -> None:
    with pytest.raises(UnreadableEvent, match=r"product\.moved"):
        TABLE.decode("product.moved", schema, data)
