"""A JSON Schema (2020-12) for each event type and version, and for a product's state, made from their shapes.

Only versions that are written today have one; what was written before is upcast by its readers.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.inspect import StructType, Type, type_info

from domain.events import EVENT_TYPES, EventType
from domain.product.state import Product

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

PRODUCT_STATE_RECORD: Final = EventType("product.state", 1, Product)
"""What the state topic holds; not an event, but named and versioned as events are."""

RECORD_TYPES: Final = (*EVENT_TYPES, PRODUCT_STATE_RECORD)


def key_of(kind: EventType) -> str:
    """How a schema is asked for, such as `product.created/1`."""
    return f"{kind.name}/{kind.schema}"


def urn_of(kind: EventType) -> str:
    """What `ce_dataschema` says of its records, and the schema's own `$id`."""
    return f"urn:syncstore:{kind.name}:{kind.schema}"


def event_schemas() -> dict[str, dict[str, Any]]:
    """Whole schema documents by "type/version"."""
    return {key_of(kind): {"$schema": DIALECT, "$id": urn_of(kind), **schema_of(kind.shape)} for kind in RECORD_TYPES}


def schema_of(shape: type[Struct], root: str = "#") -> dict[str, Any]:
    """The schema of a shape, its references reaching from `root`: where in its document the schema will stand."""
    (schema,), definitions = msgspec.json.schema_components([shape], ref_template=root + "/$defs/{name}")
    shapes = {cls.__name__: cls for cls in _structs(type_info(shape))}
    for name, definition in definitions.items():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
        for field, note in _notes(shapes[name]).items() if name in shapes else ():
            definition["properties"][field].setdefault("description", note)
    return {**schema, "$defs": definitions}


def _structs(found: Any) -> Iterator[type[Struct]]:
    """Every struct in a described type, at any depth; shapes of events never contain themselves."""
    if isinstance(found, StructType):
        yield found.cls
        for field in found.fields:
            yield from _structs(field.type)
    elif isinstance(found, tuple):
        for one in found:
            yield from _structs(one)
    elif isinstance(found, Type):
        for name in found.__struct_fields__:
            yield from _structs(getattr(found, name))


def _notes(shape: type[Struct]) -> dict[str, str]:
    """Field -> the docstring below it, which Python keeps in the source alone."""
    body = cast("ast.ClassDef", ast.parse(dedent(inspect.getsource(shape))).body[0]).body
    return {
        field.target.id: inspect.cleandoc(note.value.value)
        for field, note in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(note, ast.Expr)
        and isinstance(note.value, ast.Constant)
        and isinstance(note.value.value, str)
    }
