"""The AsyncAPI 3.0 document of the topics: which records each carries, with which key, headers and value.

It stands alone: every reference points into it, so that it can be read from a file as well as from the API.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from domain.events import EventType
from infrastructure.kafka.schemas import PRODUCT_STATE_RECORD, RECORD_TYPES, schema_of, urn_of
from infrastructure.kafka.topics import PARTITIONS, TABLE, Topic

SCHEMA_FORMAT: Final = "application/schema+json;version=2020-12"
BINDING_VERSION: Final = "0.5.0"

_TEXT: Final = {"type": "string", "minLength": 1}
_UUID: Final = {"type": "string", "format": "uuid"}
_TIME: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": "string", "pattern": "^[1-9][0-9]*$"}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "content-type": {"const": "application/json", "description": "Of the record's value."},
    "ce_specversion": {"const": "1.0", "description": "Of CloudEvents."},
    "ce_id": {**_TEXT, "description": "Tells the record from all others; the same when it is delivered again."},
    "ce_source": {"type": "string", "pattern": "^/syncstore/.+$", "description": "/syncstore/<organisation>."},
    "ce_type": {**_TEXT, "description": "The wire name; it never changes its meaning."},
    "ce_subject": {**_TEXT, "description": "The stream: <category>-<id>."},
    "ce_time": {**_TIME, "description": "When it happened; of a state, when its latest event was stored."},
    "ce_org": {**_TEXT, "description": "The organisation whose record it is."},
    "ce_sequence": {**_COUNT, "description": "Version of the stream: counts 1, 2, 3 ...; a gap is a loss."},
    "ce_position": {**_COUNT, "description": "Position in the whole store; grows, with gaps."},
}
"""On every record."""
_EVENT_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ce_id": {**_UUID, "description": _HEADERS["ce_id"]["description"]},
    "ce_dataschema": {**_TEXT, "description": "urn:syncstore:<type>:<schema version>."},
    "ce_recordedtime": {**_TIME, "description": "When it was stored."},
    "ce_actor": {**_TEXT, "description": "Who did it, such as user:sari or a process."},
    "ce_correlationid": {**_UUID, "description": "The request that all began with."},
}
"""On every event beyond those."""
_OPTIONAL_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ce_causationid": {**_UUID, "description": "The event that this one follows from."},
    "ce_batchid": {**_UUID, "description": "The bulk job that it belongs to."},
    "ce_replay": {"const": "true", "description": "On events that are published once more, and on no other."},
}


def asyncapi_document(version: str) -> dict[str, Any]:
    """The document as JSON values; `version` is that of the product."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SyncStore events",
            "version": version,
            "description": "CloudEvents 1.0 in Kafka's binary mode. A record may be delivered more than once: tell it "
            "by ce_id, or by ce_subject and ce_sequence. All that concerns one key is in order within a topic. "
            "Fields are added without a new schema version; ignore those that you do not know.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TABLE},
        "operations": {f"send-{topic.name}": _operation(topic) for topic in TABLE},
        "components": {
            "messages": {kind.name: _message(kind) for kind in RECORD_TYPES},
            "schemas": {schema_name(kind): _payload(kind) for kind in RECORD_TYPES},
        },
    }


def carried_by(topic: Topic) -> tuple[EventType, ...]:
    """The types of a topic's records: the events of its category, or the states."""
    if topic.category is None:
        return (PRODUCT_STATE_RECORD,)
    kinds = (kind for kind in RECORD_TYPES if kind is not PRODUCT_STATE_RECORD)
    return tuple(kind for kind in kinds if kind.name.partition(".")[0] == topic.category)


def schema_name(kind: EventType) -> str:
    """Under which component its schema stands; a slash may not be in it."""
    return f"{kind.name}.{kind.schema}"


def _channel(topic: Topic) -> dict[str, Any]:
    kinds = carried_by(topic)
    module = "" if topic.category is None else inspect.cleandoc(sys.modules[kinds[0].shape.__module__].__doc__ or "")
    kept = "The latest record of each key is kept." if topic.compacted else "Records are kept for ever."
    return {
        "address": topic.name,
        "title": topic.holds.capitalize(),
        "description": "\n\n".join(filter(None, (module, f"Keyed by {topic.key}. {kept}"))),
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS,
                "topicConfiguration": _configuration(topic),
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """As the binding writes them: policies as a list, figures as numbers. It knows these settings alone."""
    config = topic.config
    policies: dict[str, Any] = {"cleanup.policy": config["cleanup.policy"].split(",")}
    return policies | {name: int(config[name]) for name in ("retention.ms", "retention.bytes") if name in config}


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": f"SyncStore tells {topic.holds}",
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{kind.name}"} for kind in carried_by(topic)],
    }


def _message(kind: EventType) -> dict[str, Any]:
    (topic,) = (topic for topic in TABLE if kind in carried_by(topic))
    message = {
        "name": kind.name,
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.shape.__name__).capitalize(),
        "contentType": "application/json",
        "headers": _headers(kind),
        "payload": {"$ref": f"#/components/schemas/{schema_name(kind)}"},
        "bindings": {
            "kafka": {"key": {**_TEXT, "description": f"The {topic.key}."}, "bindingVersion": BINDING_VERSION}
        },
    }
    if kind.shape.__doc__:
        message["description"] = inspect.cleandoc(kind.shape.__doc__)
    return message


def _headers(kind: EventType) -> dict[str, Any]:
    is_event = kind is not PRODUCT_STATE_RECORD
    required = {**_HEADERS, **(_EVENT_HEADERS if is_event else {})}
    properties = {**required, **(_OPTIONAL_HEADERS if is_event else {})}
    properties["ce_type"] = {**properties["ce_type"], "const": kind.name}
    if is_event:
        properties["ce_dataschema"] = {**properties["ce_dataschema"], "const": urn_of(kind)}
    return {"type": "object", "required": list(required), "properties": properties}


def _payload(kind: EventType) -> dict[str, Any]:
    root = f"#/components/schemas/{schema_name(kind)}/schema"
    return {"schemaFormat": SCHEMA_FORMAT, "schema": schema_of(kind.shape, root)}
