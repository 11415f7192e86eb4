"""The headers by which commands are made safe: If-Match against lost updates, Idempotency-Key against doing twice."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from services.api.problems import Fault, Problem

_ETAG: Final = re.compile(r'"(\d{1,9})"')
_KEY: Final = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")


def etag(version: int) -> str:
    return f'"{version}"'


def version_of(if_match: str | None) -> int | None:
    """The version that an If-Match header names; None where there is no header or it takes any version.

    Raises Problem (malformed_header).
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        raise wrong_header("If-Match", 'must be one ETag as this API gives them, such as "7", or *')
    return int(found[1])


def checked_key(idempotency_key: str | None) -> str | None:
    """Raises Problem (malformed_header)."""
    if idempotency_key is None:
        return None
    if _KEY.fullmatch(idempotency_key) is None:
        raise wrong_header("Idempotency-Key", "must be 1 to 255 printable ASCII characters")
    return idempotency_key


def checked_correlation_id(value: str) -> UUID:
    """Raises Problem (malformed_header)."""
    try:
        return UUID(value)
    except ValueError:
        raise wrong_header("X-Correlation-Id", "must be a UUID") from None


def wrong_header(name: str, detail: str) -> Problem:
    return Problem("malformed_header", f"{name} {detail}", errors=[Fault(detail=detail, header=name)])
