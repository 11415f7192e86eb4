"""The OpenAPI 3.1 document, made from the operations and the structs that they take and answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from services.api.authorisation import Access
from services.api.operations import Operation
from services.api.problems import KINDS, MEDIA_TYPE, ProblemDocument

_PARAMETER: Final = re.compile(r"\{(\w+):\w+\}")

_HEADERS: Final[Mapping[str, dict[str, Any]]] = {
    "X-Correlation-Id": {
        "description": "Id under which the request is logged and its events are stored; made up if not sent.",
        "schema": {"type": "string", "format": "uuid"},
        "example": "0190a3d0-7c9e-7b5a-8f00-3c2d5e6f7a8b",
    },
    "Idempotency-Key": {
        "description": "Under one key a command is done once and always answered alike; keys are kept for a day.",
        "schema": {"type": "string", "pattern": r"^[\x21-\x7e][\x20-\x7e]{0,254}$"},
        "example": "price-run-2026-11-21-0017",
    },
    "If-Match": {
        "description": "The ETag that was read: the command is refused with 412 if the version has moved.",
        "schema": {"type": "string", "pattern": r'^("\d{1,9}"|\*)$'},
        "example": '"7"',
    },
}


def describe(operations: Sequence[Operation], *, version: str) -> dict[str, Any]:
    """The document as JSON values."""
    shapes = [shape for operation in operations for shape in _shapes(operation)]
    schemas, components = msgspec.json.schema_components(
        [*shapes, ProblemDocument], ref_template="#/components/schemas/{name}"
    )
    of_shape = {id(shape): schema for shape, schema in zip([*shapes, ProblemDocument], schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for operation in operations:
        path = _PARAMETER.sub(r"{\1}", operation.path)
        paths[path][operation.method.lower()] = _Description(operation, of_shape).entry()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SyncStore",
            "version": version,
            "summary": "One master catalogue, shown truthfully by every shop.",
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(paths),
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "sk_<id>_<secret>"}},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
    }


_INTRODUCTION: Final = """\
Commands answer with the version of what they changed and the position of the change in the store; a read with \
`min_position` waits until its view has come that far. Whatever cannot be done is answered with a problem document \
(RFC 9457) whose `code` is stable and whose `remedy` says what to do."""


@cache
def _fields(query: Hashable) -> tuple[FieldInfo, ...]:
    return fields(query)  # type: ignore[arg-type]  # see _parameters


def _parameters(query: Any) -> tuple[FieldInfo, ...]:
    """The same field types each time: their schemas are found by identity, as annotations need not be hashable."""
    return _fields(query)


def _shapes(operation: Operation) -> Iterable[Any]:
    yield from (shape for shape in operation.answers.values() if shape is not None)
    if operation.body is not None:
        yield operation.body
    if operation.query is not None:
        yield from (field.type for field in _parameters(operation.query))


class _Description:
    def __init__(self, operation: Operation, schemas: Mapping[int, dict[str, Any]]) -> None:
        self._operation = operation
        self._schemas = schemas

    def entry(self) -> dict[str, Any]:
        operation = self._operation
        entry: dict[str, Any] = {
            "operationId": operation.name,
            "summary": operation.summary,
            "tags": [operation.tag],
            "parameters": [*self._in_path(), *self._in_query(), *self._in_headers()],
            "responses": self._responses(),
            "security": [] if operation.scope is Access.OPEN else [{"key": []}],
        }
        if operation.local:
            entry["security"].append({})
        if operation.description:
            entry["description"] = re.sub(r"\s*\n\s*", " ", operation.description)
        if operation.scope is not Access.OPEN:
            scope = operation.scope.value
            entry["x-scope"] = scope
        if operation.body is not None:
            content: dict[str, Any] = {"schema": self._schemas[id(operation.body)]}
            if operation.example is not None:
                content["example"] = operation.example
            entry["requestBody"] = {
                "required": not operation.body_optional,
                "content": {operation.body_media_type: content},
            }
        elif operation.body_media_type != "application/json":
            entry["requestBody"] = {
                "required": True,
                "content": {operation.body_media_type: {"schema": {"type": "string"}, "example": operation.example}},
            }
        return entry

    def _in_path(self) -> Iterable[dict[str, Any]]:
        for name in _PARAMETER.findall(self._operation.path):
            parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            if name in self._operation.path_examples:
                parameter["example"] = self._operation.path_examples[name]
            yield parameter

    def _in_query(self) -> Iterable[dict[str, Any]]:
        if self._operation.query is None:
            return
        for field in _parameters(self._operation.query):
            schema = dict(self._schemas[id(field.type)])
            if "anyOf" in schema:
                # None stands for a parameter that is not sent; it cannot be sent.
                kept = [one for one in schema["anyOf"] if one != {"type": "null"}]
                schema = {**schema, "anyOf": kept} if len(kept) > 1 else dict(kept[0])
            if field.default is not NODEFAULT and field.default not in (None, ()):
                schema["default"] = field.default
            yield {
                "name": field.encode_name,
                "in": "query",
                "required": field.required,
                "schema": schema,
            }

    def _in_headers(self) -> Iterable[dict[str, Any]]:
        wanted = ["X-Correlation-Id"]
        if self._operation.command:
            wanted.append("Idempotency-Key")
        if self._operation.conditional:
            wanted.append("If-Match")
        for name in wanted:
            yield {"name": name, "in": "header", "required": False, **_HEADERS[name]}

    def _responses(self) -> dict[str, Any]:
        operation = self._operation
        responses: dict[str, Any] = {}
        for status, shape in operation.answers.items():
            responses[str(status)] = {"description": "Done" if status < 400 else "Not ready"}
            if shape is not None:
                media_type = operation.media_type
                responses[str(status)]["content"] = {media_type: {"schema": self._schemas[id(shape)]}}
        problem = self._schemas[id(ProblemDocument)]
        by_status: dict[int, list[str]] = defaultdict(list)
        for code in codes_of(operation):
            by_status[KINDS[code].status].append(code)
        for status, codes in sorted(by_status.items()):
            text = "; ".join(f"`{code}`: {KINDS[code].title}" for code in sorted(codes))
            content = {MEDIA_TYPE: {"schema": problem}}
            if str(status) in responses:
                responses[str(status)]["description"] += "; " + text
                responses[str(status)]["content"].update(content)
            else:
                responses[str(status)] = {"description": text, "content": content}
        return responses


def codes_of(operation: Operation) -> set[str]:
    """Every problem code that an operation may answer with."""
    codes = {"malformed_header", "malformed_request", "malformed_query", "internal_error", *operation.refusals}
    if operation.path.startswith("/api/"):
        codes |= {"api_version_mismatch"}
    if operation.scope is not Access.OPEN:
        codes |= {"key_missing", "key_unknown", "storage_unavailable"}
    if not isinstance(operation.scope, Access):
        codes |= {"scope_missing"}
    if operation.body is not None:
        codes |= {"malformed_json", "body_invalid", "body_too_large", "media_type_unsupported"}
    if operation.command:
        codes |= {"idempotency_key_reused", "too_busy"}
    if operation.conditional:
        codes |= {"version_stale"}
    return codes
