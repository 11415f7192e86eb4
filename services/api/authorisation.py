"""Who may call an operation, told by the API key that a request carries."""

from __future__ import annotations

from enum import Enum
from typing import Any

from litestar import Request

from infrastructure.security.api_keys import KeyRing, Principal, Scope
from services.api.problems import Problem

ApiRequest = Request[Any, Any, Any]


class Access(Enum):
    """Who may call an operation that no scope stands for."""

    OPEN = "everybody"
    ANY_KEY = "any key"


async def caller_of(request: ApiRequest, key_ring: KeyRing, scope: Scope | Access, *, local: bool) -> Principal | None:
    """Who calls; None where no key is needed.

    Raises Problem: key_missing, key_unknown, scope_missing.
    """
    if scope is Access.OPEN:
        return None
    header = request.headers.get("authorization")
    if header is None:
        if local and _is_local(request):
            return None
        raise Problem("key_missing", "the request carries no API key")
    scheme, _, presented = header.partition(" ")
    principal = await key_ring.recognise(presented.strip()) if scheme.lower() == "bearer" else None
    if principal is None:
        raise Problem("key_unknown", "the Authorization header does not hold a key that is in force")
    if isinstance(scope, Scope) and not principal.may(scope):
        raise Problem("scope_missing", f"this needs the scope {scope.value}", scope=scope.value)
    return principal


def _is_local(request: ApiRequest) -> bool:
    """From this machine, and not through a proxy on it that speaks for somebody else."""
    client = request.scope["client"]
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return client is not None and client[0] in {"127.0.0.1", "::1"} and not forwarded
