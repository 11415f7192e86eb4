"""What is promised of records: a schema for each, one document for all, and real bytes that keep to both."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from domain import events
from domain.events import EVENT_TYPES, EventType
from domain.messages import RecordedEvent
from domain.product.events import Override
from domain.product.state import Product
from domain.values import Dimensions, Image, Option, Platform, ProductStatus, Variant
from infrastructure.kafka import cloudevents, topics
from infrastructure.kafka.asyncapi import asyncapi_document, carried_by
from infrastructure.kafka.schemas import DIALECT, RECORD_TYPES, event_schemas, key_of, urn_of
from tests.domain.samples import SAMPLES
from tests.support.traffic import is_planted, violations

GOLDEN = Path(__file__).parents[2] / "domain" / "golden"
DOCUMENT = asyncapi_document("1.2.3")
SCHEMAS = event_schemas()


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from nodes(one)


def resolve(pointer: str) -> Any:
    found: Any = DOCUMENT
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def record(kind: EventType, data: bytes | None = None) -> tuple[str, bytes, bytes, list[tuple[str, bytes]]]:
    """As the relay writes it."""
    category = kind.name.partition(".")[0]
    identity = str(uuid.uuid4())
    now = datetime.now(UTC)
    event = RecordedEvent(
        position=7,
        org_id="toko-sari",
        stream_id=f"{category}-{identity}",
        version=3,
        partition_key=identity,
        event_id=uuid.uuid4(),
        type=kind.name,
        schema=kind.schema,
        data=data or golden(kind),
        occurred_at=now,
        recorded_at=now,
        actor="user:sari",
        correlation_id=uuid.uuid4(),
        causation_id=uuid.uuid4(),
        batch_id=uuid.uuid4(),
    )
    return topics.BY_CATEGORY[category], identity.encode(), event.data, cloudevents.headers_of(event)


def golden(kind: EventType) -> bytes:
    return (GOLDEN / f"{kind.name}.v{kind.schema}.json").read_bytes()


RENAMED = next(kind for kind in EVENT_TYPES if kind.name == "product.renamed")


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=key_of)
def test_the_bytes_once_written_keep_to_the_schema_of_their_type(kind: EventType) -> None:
    schema = SCHEMAS[key_of(kind)]
    assert (schema["$schema"], schema["$id"]) == (DIALECT, urn_of(kind))
    jsonschema_rs.meta.validate(schema)
    jsonschema_rs.validate(schema, json.loads(golden(kind)))


def test_what_is_written_today_keeps_to_the_schemas() -> None:
    seen = set()
    for sample in SAMPLES:
        name, schema, data = events.encode(sample)
        jsonschema_rs.validate(SCHEMAS[f"{name}/{schema}"], json.loads(data))
        seen.add(f"{name}/{schema}")
    assert SCHEMAS.keys() - seen == {"product.state/1"}


def test_a_products_state_keeps_to_its_schema() -> None:
    product = Product(
        product_id="p1",
        sku="BTK",
        name="Batik",
        base_price=195_000,
        dimensions=Dimensions(),
        images=(Image("https://toko.example/a.jpg", primary=True),),
        variants=(Variant(sku="BTK-L", options=(Option("Ukuran", "L"),)),),
        status=ProductStatus.ARCHIVED,
        status_before_archive=ProductStatus.ACTIVE,
    ).with_override(Platform.SHOPEE, Override(prices=(("BTK-L", 210_000),)))
    value = msgspec.json.encode(product)
    jsonschema_rs.validate(SCHEMAS["product.state/1"], json.loads(value))
    assert violations(topics.PRODUCT_STATE, b"p1", value, state_headers("p1")) == []
    assert violations(topics.PRODUCT_STATE, b"p2", value, state_headers("p1")) == [
        "key b'p2' is not that of ce_subject product-p1"
    ]


def state_headers(product: str) -> list[tuple[str, bytes]]:
    return [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"product.state"),
        ("ce_id", f"product-{product}/4".encode()),
        ("ce_source", b"/syncstore/toko-sari"),
        ("ce_subject", f"product-{product}".encode()),
        ("ce_org", b"toko-sari"),
        ("ce_sequence", b"4"),
        ("ce_position", b"9"),
        ("ce_time", b"2026-11-21T03:04:05+00:00"),
    ]


def test_descriptions_come_from_the_shapes_with_those_of_single_fields() -> None:
    shapes = SCHEMAS["listing.push-confirmed/1"]["$defs"]
    confirmed = shapes["PushConfirmed"]
    assert confirmed["description"] == "The platform took these values, each one proven by its answer."
    assert confirmed["properties"]["latency_ms"]["description"].startswith("From the oldest desired change")
    assert "kilograms" in SCHEMAS["product.state/1"]["$defs"]["Dimensions"]["description"]
    assert "\n    " not in json.dumps(SCHEMAS).replace("\\n", "\n")


def test_units_are_told_with_each_channel_that_has_any() -> None:
    told = {name: channel["description"] for name, channel in DOCUMENT["channels"].items()}
    assert "whole rupiah" in told[topics.PRODUCT]
    assert "whole pieces" in told[topics.STOCK]
    assert "whole grams" in told[topics.LISTING]


def test_every_reference_of_the_document_resolves_within_it() -> None:
    references = {node["$ref"] for node in nodes(DOCUMENT) if isinstance(node.get("$ref"), str)}
    assert len(references) > len(EVENT_TYPES)
    for reference in references:
        assert reference.startswith("#/")
        assert isinstance(resolve(reference), dict), reference
    for group in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[\w.-]+", name) for name in group), "the names that AsyncAPI allows"


def test_the_document_has_the_parts_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"
    for operation in DOCUMENT["operations"].values():
        channel = resolve(operation["channel"]["$ref"])
        assert operation["action"] == "send"
        inside = [f"{operation['channel']['$ref']}/messages/{name}" for name in channel["messages"]]
        assert [message["$ref"] for message in operation["messages"]] == inside
    for message in DOCUMENT["components"]["messages"].values():
        payload = resolve(message["payload"]["$ref"])
        assert payload["schemaFormat"] == "application/schema+json;version=2020-12"
        jsonschema_rs.meta.validate({"$schema": DIALECT, **message["headers"]})
        assert message["bindings"]["kafka"]["key"]["type"] == "string"


def test_every_event_type_is_in_the_one_channel_of_its_category() -> None:
    places = Counter(name for channel in DOCUMENT["channels"].values() for name in channel["messages"])
    assert places == Counter(kind.name for kind in RECORD_TYPES)
    for kind in EVENT_TYPES:
        channel = DOCUMENT["channels"][topics.BY_CATEGORY[kind.name.partition(".")[0]]]
        assert channel["messages"][kind.name] == {"$ref": f"#/components/messages/{kind.name}"}


def test_channels_tell_partitions_and_what_is_kept() -> None:
    for topic in topics.TABLE:
        binding = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]
        assert binding["partitions"] == topics.PARTITIONS
        policy = ["compact"] if topic.compacted else ["delete"]
        assert binding["topicConfiguration"]["cleanup.policy"] == policy
        assert carried_by(topic)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=key_of)
def test_a_record_as_the_relay_writes_it_is_as_declared(kind: EventType) -> None:
    topic, key, value, headers = record(kind)
    assert violations(topic, key, value, headers) == []
    assert violations(topic, key, value, [*headers, cloudevents.REPLAY]) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"topic": "syncstore.baskets"}, "topic syncstore.baskets is not declared"),
        ({"topic": topics.STOCK}, "ce_type 'product.renamed' is not declared for syncstore.stock"),
        ({"ce_type": b"product.teleported"}, "ce_type 'product.teleported' is not declared for syncstore.product"),
        ({"ce_type": None}, "ce_type '' is not declared for syncstore.product"),
        ({"key": None}, "there is no key"),
        ({"key": b"other"}, "key b'other' is not that of ce_subject"),
        ({"value": None}, "there is no value"),
        ({"value": b"{"}, "the value is not JSON"),
        ({"value": b'{"old":"A"}'}, 'value: "new" is a required property'),
        ({"value": b'{"old":"A","new":5}'}, 'value new: 5 is not of type "string"'),
        ({"ce_id": b"seven"}, 'headers ce_id: "seven" is not a "uuid"'),
        ({"ce_time": b"yesterday"}, 'headers ce_time: "yesterday" is not a "date-time"'),
        ({"ce_sequence": b"0"}, "headers ce_sequence:"),
        ({"ce_actor": None}, 'headers: "ce_actor" is a required property'),
        ({"ce_dataschema": b"urn:syncstore:product.renamed:9"}, "headers ce_dataschema:"),
        ({"ce_source": b"/syncstore/other"}, "ce_source /syncstore/other is not that of ce_org toko-sari"),
        ({"ce_replay": b"yes"}, "headers ce_replay:"),
        ({"ce_mood": b"good"}, "header ce_mood is not declared"),
    ],
    ids=str,
)
def test_a_wrong_record_is_told_with_what_is_wrong(changed: dict[str, Any], told: str) -> None:
    topic, key, value, headers = record(RENAMED)
    whole: dict[str, Any] = {"topic": topic, "key": key, "value": value}
    changed_headers = {name: content for name, content in changed.items() if name not in whole}
    kept = {name: content for name, content in {**dict(headers), **changed_headers}.items() if content is not None}
    whole |= {name: content for name, content in changed.items() if name in whole}
    (found,) = violations(**whole, headers=list(kept.items()))
    assert found.startswith(told)


def test_a_header_that_stands_twice_is_told() -> None:
    topic, key, value, headers = record(RENAMED)
    assert violations(topic, key, value, [*headers, headers[0]]) == ["header ce_specversion stands twice"]


def test_an_event_of_another_category_is_told() -> None:
    topic, key, value, headers = record(RENAMED)
    moved = {**dict(headers), "ce_subject": b"stock-" + key}
    (found,) = violations(topic, key, value, list(moved.items()))
    assert found.endswith("does not belong to syncstore.product")


def test_only_records_that_say_so_are_wrong_on_purpose() -> None:
    _, key, _, headers = record(RENAMED)
    assert not is_planted(key, headers)
    assert is_planted(b"poison-1", headers)
    assert is_planted(key, [("ce_org", b"poison")])
