"""Records held against the AsyncAPI document: their channel, key, headers and value."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from typing import Any

import jsonschema_rs

from domain.values import category_of, identity_of
from infrastructure.kafka.asyncapi import asyncapi_document
from infrastructure.kafka.client import KafkaSettings
from infrastructure.kafka.records import Record
from infrastructure.kafka.replay import Replay
from infrastructure.kafka.schemas import event_schemas
from infrastructure.kafka.topics import BY_CATEGORY, PRODUCT_STATE

Headers = Sequence[tuple[str, bytes | None]]


def violations(topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> list[str]:
    """What of a record is not as declared; empty for a record as it should be."""
    channel = _document()["channels"].get(topic)
    if channel is None:
        return [f"topic {topic} is not declared"]
    names = [name for name, _ in headers]
    found = [f"header {name} stands twice" for name in sorted({name for name in names if names.count(name) > 1})]
    told = {name: (content or b"").decode(errors="backslashreplace") for name, content in headers}
    type_ = told.get("ce_type", "")
    if type_ not in channel["messages"]:
        return [*found, f"ce_type {type_!r} is not declared for {topic}"]
    declared = _document()["components"]["messages"][type_]["headers"]["properties"]
    found += [f"header {name} is not declared" for name in sorted(told.keys() - declared.keys())]
    found += [_said("headers", error) for error in _headers_of(type_).iter_errors(told)]
    found += _untrue(topic, key, told)
    if value is None:
        return [*found, "there is no value"]
    try:
        data = json.loads(value)
    except ValueError as error:
        return [*found, f"the value is not JSON: {error}"]
    return found + [_said("value", error) for error in _value_of(type_).iter_errors(data)]


def _untrue(topic: str, key: bytes | None, told: Mapping[str, str]) -> list[str]:
    """What schemas cannot say: how key and headers hang together."""
    subject, org = told.get("ce_subject", ""), told.get("ce_org", "")
    category = "product" if topic == PRODUCT_STATE else next(c for c, name in BY_CATEGORY.items() if name == topic)
    found = []
    if not key:
        found.append("there is no key")
    elif category in {"product", "connection"} and key.decode(errors="replace") != identity_of(subject):
        found.append(f"key {key!r} is not that of ce_subject {subject}")
    if category_of(subject) != category:
        found.append(f"ce_subject {subject} does not belong to {topic}")
    if told.get("ce_source") != f"/syncstore/{org}":
        found.append(f"ce_source {told.get('ce_source')} is not that of ce_org {org}")
    return found


def _said(where: str, error: jsonschema_rs.ValidationError) -> str:
    return f"{where} {'/'.join(map(str, error.instance_path))}: {error.message}".replace(" :", ":")


@cache
def _document() -> dict[str, Any]:
    return asyncapi_document("0")


@cache
def _headers_of(type_: str) -> jsonschema_rs.Validator:
    schema = _document()["components"]["messages"][type_]["headers"]
    return jsonschema_rs.validator_for(schema, validate_formats=True)


@cache
def _value_of(type_: str) -> jsonschema_rs.Validator:
    (schema,) = (schema for key, schema in event_schemas().items() if key.partition("/")[0] == type_)
    return jsonschema_rs.validator_for(schema, validate_formats=True)


async def read_records(kafka: KafkaSettings, topics: Sequence[str]) -> AsyncIterator[Record]:
    """All that the topics hold, from their first record."""
    async with Replay(kafka, topics) as replay:
        ends = await replay.ends()
        async for batch in replay.records(dict.fromkeys(ends, 0), ends):
            for record in batch:
                yield record


def is_planted(key: bytes | None, headers: Headers) -> bool:
    """Whether a test made the record wrong on purpose. Such records say so, by their key or organisation."""
    return (key or b"").startswith(b"poison-") or dict(headers).get("ce_org") == b"poison"


async def undeclared_traffic(kafka: KafkaSettings, topics: Sequence[str]) -> list[str]:
    """One line for each thing that is wrong with a record, except with those that are planted."""
    return [
        f"{record.topic}/{record.partition}/{record.offset}: {wrong}"
        async for record in read_records(kafka, topics)
        if not is_planted(record.key, record.headers)
        for wrong in violations(record.topic, record.key, record.value, record.headers)
    ]
