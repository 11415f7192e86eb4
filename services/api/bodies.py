"""Reading what a caller sent, strictly: a size limit kept while reading, JSON into structs, the query into structs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar, get_origin
from urllib.parse import parse_qsl

import msgspec
from msgspec.structs import fields

from services.api.problems import Fault, Problem

T = TypeVar("T")

MAX_JSON: Final = 1024 * 1024
"""Bytes of a JSON body."""
MAX_FILE: Final = 50 * 1024 * 1024
"""Bytes of an imported file."""

_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLACE: Final = re.compile(r"^(?P<detail>.*?)(?: - at `(?:key in )?(?P<path>\$[^`]*)`)?$", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"(?:unknown field|missing required field) `(?P<name>.*)`$", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


class Disconnected(Exception):
    """The caller went away while sending; there is nobody to answer."""


async def read_limited(receive: Callable[[], Awaitable[Any]], limit: int, declared: str | None) -> bytes:
    """The whole body.

    Raises Problem (body_too_large) as soon as more than `limit` bytes are declared or have come; Disconnected.
    """
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message["body"]
    if message["more_body"] is False and len(body) <= limit:
        return body
    parts = [body]
    size = len(body)
    while size <= limit:
        if not message["more_body"]:
            return b"".join(parts)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message["body"])
        size += len(parts[-1])
    raise too_large(limit)


def too_large(limit: int) -> Problem:
    return Problem("body_too_large", f"the body has more than {limit} bytes", limit=limit)


@cache
def _decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(shape)


def decode_body(body: bytes, shape: type[T]) -> T:
    """JSON into a struct; nothing is coerced.

    Raises Problem: malformed_json, body_invalid.
    """
    try:
        decoded: T = _decoder(shape).decode(body)  # type: ignore[arg-type]  # a class is hashable
    except msgspec.ValidationError as error:
        # Raised at the first value of a wrong type: what comes after it may be no JSON at all.
        _check_json(body)
        fault = _body_fault(str(error))
        raise Problem("body_invalid", f"{fault.pointer or '/'}: {fault.detail}", errors=[fault]) from error
    except _NOT_JSON as error:
        raise _malformed(error) from error
    return decoded


def _check_json(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except _NOT_JSON as error:
        raise _malformed(error) from error


def _malformed(error: Exception) -> Problem:
    return Problem("malformed_json", str(error) or "the body is not JSON")


def decode_query(query: bytes, shape: type[T]) -> T:
    """The query string into a struct; texts become numbers, times and so on, lists are repeated parameters.

    Raises Problem (malformed_query) naming the parameter.
    """
    lists = _list_fields(shape)  # type: ignore[arg-type]  # as above
    values: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError as error:
        raise Problem("malformed_query", "the query is not made of name=value pairs in UTF-8") from error
    for name, value in pairs:
        if "\0" in value:
            raise _wrong_parameter(name, "contains a null character")
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise _wrong_parameter(name, "is given twice")
        else:
            values[name] = value
    try:
        return msgspec.convert(values, shape, strict=False)
    except msgspec.ValidationError as error:
        fault = _body_fault(str(error))
        name = (fault.pointer or "/").split("/")[1]
        raise _wrong_parameter(name, fault.detail) from error


def in_range(name: str, moment: datetime | None) -> datetime | None:
    """The moment in UTC.

    Raises Problem (malformed_request) where no calendar has it: year 1 east of Greenwich, year 9999 west.
    """
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError:
        raise Problem("malformed_request", f"{name} is beyond the calendar") from None


def _wrong_parameter(name: str, detail: str) -> Problem:
    return Problem("malformed_query", f"{name}: {detail}", errors=[Fault(detail=detail, parameter=name)])


@cache
def _list_fields(shape: Any) -> frozenset[str]:
    return frozenset(field.encode_name for field in fields(shape) if get_origin(field.type) in {tuple, list})


def _body_fault(message: str) -> Fault:
    """What msgspec says, with the place as a JSON pointer."""
    found = _PLACE.match(message)
    assert found is not None
    detail, path = found["detail"], found["path"] or "$"
    steps = [name or index for name, index in _STEP.findall(path)]
    named = _NAMED_FIELD.search(detail)
    if named is not None:
        steps.append(named["name"])
    return Fault(detail=detail, pointer="".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps))
