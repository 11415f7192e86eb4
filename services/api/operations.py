"""What an operation of the API is: declared once, served by Litestar, described in the OpenAPI document.

Litestar routes and answers; bodies and queries are decoded here, because its own conversion is lenient ("5" becomes 5)
and passes through Python values, where msgspec can go from bytes to struct strictly in one step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal, get_type_hints

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from msgspec import Struct

from domain.messages import CommandContext
from domain.values import fingerprint
from infrastructure.security.api_keys import Principal, Scope
from services.api.authorisation import Access, ApiRequest, caller_of
from services.api.bodies import MAX_JSON, decode_body, decode_query, read_limited
from services.api.conditions import checked_key, version_of
from services.api.problems import Problem
from services.app import App
from services.usecases.conditions import Once

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

MAX_NAME: Final = 300
"""Characters of a parameter in the path."""

OPERATION: Final = "operation"
"""Under which name a route handler carries its Operation."""

_encode: Final = msgspec.json.Encoder(decimal_format="string").encode


class Answer(Struct, frozen=True):
    """What an operation answers. `body` is encoded as JSON; bytes are sent as they are, None is no body."""

    body: Any
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Everything that is known of an operation before anybody calls it."""

    method: Method
    path: str
    """With `{name:str}` for parameters, as Litestar writes them."""
    name: str
    summary: str
    tag: str
    scope: Scope | Access
    local: bool = False
    """Whoever is on this machine needs no key."""
    answers: Mapping[int, Any]
    """Status -> the struct answered; None where there is no body."""
    refusals: tuple[str, ...] = ()
    """Problem codes beyond those that follow from the rest."""
    body: type[Any] | None = None
    query: type[Any] | None = None
    command: bool = False
    """Takes Idempotency-Key."""
    conditional: bool = False
    """Takes If-Match."""
    media_type: str = "application/json"
    """Of the answer."""
    body_media_type: str = "application/json"
    body_optional: bool = False
    """Without a body, every field has its default."""
    description: str = ""
    example: Any = None
    """A body that the operation takes."""
    path_examples: Mapping[str, str] = field(default_factory=dict)


class Call:
    """One request to an operation: who asks, for what, under which conditions."""

    __slots__ = ("app", "operation", "principal", "request")

    def __init__(self, request: ApiRequest, operation: Operation, app: App, principal: Principal | None) -> None:
        self.request = request
        self.operation = operation
        self.app = app
        self.principal = principal

    @property
    def org_id(self) -> str:
        return self.caller.org_id

    @property
    def caller(self) -> Principal:
        assert self.principal is not None, "open operations have no caller"
        return self.principal

    def path(self, name: str) -> str:
        """A parameter of the path.

        Raises Problem (path_unknown) for what cannot be the name of anything.
        """
        value: str = self.request.path_params[name]
        if "\0" in value or len(value) > MAX_NAME:
            raise Problem("path_unknown", f"{name} cannot be the name of anything")
        return value

    def context(self) -> CommandContext:
        caller = self.caller
        return CommandContext(
            org_id=caller.org_id,
            actor=caller.actor,
            now=self.app.clock.now(),
            correlation_id=self.request.scope["state"]["correlation_id"],
        )

    def expected_version(self) -> int | None:
        return version_of(self.request.headers.get("if-match"))

    def idempotency_key(self) -> str | None:
        return checked_key(self.request.headers.get("idempotency-key"))

    def fingerprint(self, body: Any) -> bytes:
        """Tells this request from others with the same key; how its JSON is spaced and ordered does not matter."""
        request = self.request
        if_match = request.headers.get("if-match", "")
        query: bytes = request.scope["query_string"]
        return fingerprint(
            self.operation.method.encode(),
            request.scope["path"].encode(),
            query,
            if_match.encode(),
            body if isinstance(body, bytes) else _encode(body),
        )

    def once(self, body: Any) -> Once | None:
        key = self.idempotency_key()
        return None if key is None else Once(key, self.fingerprint(body))


Handler = Callable[..., Awaitable[Answer]]


def endpoint(  # the keywords of Operation, said once more so that they are checked where they are written
    method: Method,
    path: str,
    *,
    scope: Scope | Access,
    local: bool = False,
    summary: str,
    tag: str,
    answers: Mapping[int, Any],
    refusals: tuple[str, ...] = (),
    command: bool = False,
    conditional: bool = False,
    media_type: str = "application/json",
    body_media_type: str = "application/json",
    body_optional: bool = False,
    description: str = "",
    example: Any = None,
    path_examples: Mapping[str, str] | None = None,
) -> Callable[[Handler], HTTPRouteHandler]:
    """A route handler from `async def f(call, body, query) -> Answer`; what `body` and `query` are is read from the
    annotations of those parameters, either of which may be missing.
    """

    def make(handler: Handler) -> HTTPRouteHandler:
        hints = get_type_hints(handler)
        operation = Operation(
            method=method,
            path=path,
            name=getattr(handler, "__name__", path),
            summary=summary,
            tag=tag,
            scope=scope,
            local=local,
            answers=answers,
            refusals=refusals,
            body=hints.get("body"),
            query=hints.get("query"),
            command=command,
            conditional=conditional,
            media_type=media_type,
            body_media_type=body_media_type,
            body_optional=body_optional,
            description=description or (handler.__doc__ or "").strip(),
            example=example,
            path_examples=path_examples or {},
        )
        return _route_handler(operation, handler)

    return make


def _route_handler(operation: Operation, handler: Handler) -> HTTPRouteHandler:
    async def serve(request: ApiRequest) -> ASGIResponse:
        app: App = request.app.state.syncstore
        principal = await caller_of(request, app.key_ring, operation.scope, local=operation.local)
        call = Call(request, operation, app, principal)
        _check_headers(call)
        arguments: dict[str, Any] = {}
        if operation.query is not None:
            arguments["query"] = decode_query(request.scope["query_string"], operation.query)
        elif request.scope["query_string"]:
            decode_query(request.scope["query_string"], _NoQuery)
        if operation.body is not None:
            content = await read_limited(request.receive, MAX_JSON, request.headers.get("content-length"))
            if content or not operation.body_optional:
                _check_media_type(request, operation.body_media_type)
                arguments["body"] = decode_body(content, operation.body)
            else:
                arguments["body"] = operation.body()
        return response_of(await handler(call, **arguments), operation.media_type)

    serve.__name__ = operation.name
    return HTTPRouteHandler(
        path=operation.path,
        http_method=operation.method,
        status_code=next(iter(operation.answers)),
        opt={OPERATION: operation},
        include_in_schema=False,
        sync_to_thread=None,
    )(serve)


class _NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Operations without parameters say so, instead of ignoring a misspelt one."""


def response_of(answer: Answer, media_type: str) -> ASGIResponse:
    if answer.body is None:
        return ASGIResponse(status_code=answer.status, headers=dict(answer.headers), media_type=media_type)
    body = answer.body if isinstance(answer.body, bytes) else _encode(answer.body)
    return ASGIResponse(status_code=answer.status, headers=dict(answer.headers), media_type=media_type, body=body)


def _check_headers(call: Call) -> None:
    operation = call.operation
    if operation.command:
        call.idempotency_key()
    if operation.conditional:
        call.expected_version()


def _check_media_type(request: ApiRequest, expected: str) -> None:
    given = request.headers.get("content-type", expected).partition(";")[0].strip().lower()
    if given != expected:
        raise Problem(
            "media_type_unsupported", f"the body is {given or 'of no media type'}, not {expected}", expected=expected
        )
