"""What commands have in common: the version they expect, the key under which they are done once, what they answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta, Struct

from services.api.conditions import etag
from services.api.operations import Answer, Call
from services.api.problems import Problem
from services.usecases.conditions import Expected
from services.usecases.outcome import Done, StaleVersion

T = TypeVar("T")

Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]

REPLAYED: Final = {"idempotency-replayed": "true"}


class Accepted(Struct, frozen=True, kw_only=True):
    """What was changed, its version now, and the position to wait for in a read (0: there was nothing to change)."""

    id: str
    version: int
    position: int


async def expecting(call: Call, expected_version: int | None, command: Callable[[Expected | None], Awaitable[T]]) -> T:
    """Do a command under the version that If-Match (nothing may have changed since) or the body (the same fields may
    not have changed since) tells.

    Raises StaleVersion for If-Match, Problem (version_conflict) for the body.
    """
    if_match = call.expected_version()
    if if_match is not None:
        return await command(Expected(if_match))
    if expected_version is None:
        return await command(None)
    try:
        return await command(Expected(expected_version, merge=True))
    except StaleVersion as stale:
        raise Problem("version_conflict", str(stale), **stale.facts) from stale


def accepted(identity: str, done: Done[Any, Any], location: str, *, status: int = 200) -> Answer:
    headers = {"etag": etag(done.version), "location": location}
    if done.replayed:
        headers |= REPLAYED
    return Answer(Accepted(id=identity, version=done.version, position=done.position), status, headers)
