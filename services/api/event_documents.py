"""The description of the events: a JSON Schema for each type and version, and the AsyncAPI 3.0 document of the topics.

Only versions that are written today are described; what was written before is upcast by its readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from domain.events import EVENT_TYPES
from infrastructure.kafka.topics import BY_CATEGORY, PARTITIONS, TABLE

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_TEXT: Final = {"type": "string"}
_UUID: Final = {"type": "string", "format": "uuid"}
_TIME: Final = {"type": "string", "format": "date-time"}
_COUNT: Final = {"type": "string", "pattern": "^[0-9]+$"}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": _UUID,
    "ce_source": {**_TEXT, "description": "/syncstore/<organisation>"},
    "ce_type": _TEXT,
    "ce_subject": {**_TEXT, "description": "The stream that the event belongs to."},
    "ce_time": {**_TIME, "description": "When it happened."},
    "ce_dataschema": {**_TEXT, "description": "urn:syncstore:<type>:<schema>"},
    "ce_sequence": {**_COUNT, "description": "Counts 1, 2, 3 ... within the stream; a gap is a loss."},
    "ce_position": {**_COUNT, "description": "Grows over the whole store."},
    "ce_org": _TEXT,
    "ce_recordedtime": {**_TIME, "description": "When it was stored."},
    "ce_actor": _TEXT,
    "ce_correlationid": _UUID,
}
_OPTIONAL_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ce_causationid": _UUID,
    "ce_batchid": _UUID,
    "ce_replay": {"const": "true", "description": "On records that are published again."},
}


def schemas() -> dict[tuple[str, int], dict[str, Any]]:
    """(wire name, schema version) -> JSON Schema of the data."""
    return {
        (kind.name, kind.schema): {
            "$schema": DIALECT,
            "$id": f"urn:syncstore:{kind.name}:{kind.schema}",
            **msgspec.json.schema(kind.shape),
        }
        for kind in EVENT_TYPES
    }


def asyncapi(version: str) -> dict[str, Any]:
    """The document as JSON values; each message points at the schema that this API serves."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SyncStore events",
            "version": version,
            "description": "CloudEvents 1.0 in binary mode. Deliveries may repeat: tell them by ce_id, or by "
            "ce_subject and ce_sequence. All that concerns one key is in order.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            topic.name: {
                "address": topic.name,
                "description": f"{topic.holds.capitalize()}, keyed by {topic.key}.",
                "messages": {
                    kind.name: {"$ref": f"#/components/messages/{kind.name}"}
                    for kind in EVENT_TYPES
                    if BY_CATEGORY.get(kind.name.partition(".")[0]) == topic.name
                },
                "bindings": {"kafka": {"topic": topic.name, "partitions": PARTITIONS}},
            }
            for topic in TABLE
        },
        "operations": {
            f"publish-{topic.name}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}}
            for topic in TABLE
        },
        "components": {
            "messages": {
                kind.name: {
                    "name": kind.name,
                    "contentType": "application/json",
                    "summary": (kind.shape.__doc__ or kind.name).strip().partition("\n")[0],
                    "headers": _headers(),
                    "payload": {"$ref": f"/schemas/{kind.name}/{kind.schema}"},
                }
                for kind in EVENT_TYPES
            }
        },
    }


def _headers() -> dict[str, Any]:
    return {"type": "object", "required": list(_HEADERS), "properties": {**_HEADERS, **_OPTIONAL_HEADERS}}
