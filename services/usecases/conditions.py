"""What a caller may ask for besides a command: once only, on the version it has seen, with which answer to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Once:
    """A caller's key, and a digest of what is asked with it."""

    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """The version a caller has seen. With `merge`, changes to other fields than the command's are no obstacle."""

    version: int
    merge: bool = False


Respond = Callable[[int, S], bytes]
"""The response to keep with a key, from the version and state after the command."""


def no_response(_: int, __: object) -> bytes:
    return b""
