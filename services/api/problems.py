"""Everything the API can say no with: one table of codes, and how each becomes a problem document (RFC 9457)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct

from domain.errors import Refusal
from infrastructure.postgres.errors import DatabaseUnavailable

MEDIA_TYPE: Final = "application/problem+json"


class Fault(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that is wrong with a request, and where: in the body, in a parameter or in a header."""

    detail: str
    pointer: str | None = None
    """JSON pointer (RFC 6901) into the body."""
    parameter: str | None = None
    """Of the query."""
    header: str | None = None


class ProblemDocument(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """RFC 9457, with the members that SyncStore adds: `code`, `remedy`, `facts`, `errors`, `correlation_id`."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    remedy: str
    correlation_id: UUID
    facts: dict[str, Any] = {}
    errors: tuple[Fault, ...] = ()


class Kind(Struct, frozen=True):
    status: int
    title: str
    remedy: str = ""
    """Empty where the refusal that has the code brings its own."""


class Problem(Exception):
    """A request that cannot be served as sent, for reasons that are the API's own. `code` is one of KINDS."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.facts = facts


# ruff: noqa: E501  # one problem a line reads as the table it is
_OWN: Final[dict[str, Kind]] = {
    "malformed_json": Kind(400, "The body is not JSON", "Send one JSON value in UTF-8; NaN and Infinity are not JSON."),
    "malformed_query": Kind(400, "The query cannot be read", "Correct the parameters named in errors."),
    "malformed_header": Kind(400, "A header cannot be read", "Correct the header named in errors."),
    "malformed_request": Kind(400, "The request cannot be read", "Check address, headers and body against the API description."),
    "api_version_mismatch": Kind(400, "The api-version header contradicts the path", "Leave the header out, or send api-version: 2."),
    "key_missing": Kind(401, "An API key is needed", "Send the header: Authorization: Bearer sk_..."),
    "key_unknown": Kind(401, "The API key is not in force", "Use a key of this installation that has not been revoked."),
    "scope_missing": Kind(403, "The API key may not do this", "Use a key with the scope named in facts."),
    "path_unknown": Kind(404, "There is nothing at this address", "Look the address up at /docs."),
    "platform_unknown": Kind(404, "There is no such platform", "Use one of those that facts name."),
    "shop_unknown": Kind(404, "No connection is for this shop", "Connect the shop first: syncstore connect."),
    "notification_not_genuine": Kind(401, "The signature does not fit", "Sign the raw body with the application's key and the registered address."),
    "notification_unreadable": Kind(400, "Not a notification of this platform", "Send the platform's notification as it is."),
    "job_unknown": Kind(404, "There is no such job", "Check the job id."),
    "schema_unknown": Kind(404, "There is no such schema", "GET /asyncapi.json names the schemas there are."),
    "moment_unknown": Kind(404, "Nothing was there at that moment", "Ask for a later version, position or time."),
    "method_not_allowed": Kind(405, "The address does not take this method", "Use a method of the Allow header."),
    "job_ended": Kind(409, "The job has ended", "Look at its items; what was done stays done."),
    "version_conflict": Kind(409, "Someone changed it meanwhile", "Read it again, and send the change with its current version."),
    "body_too_large": Kind(413, "The body is too large", "Send less at once; facts name the limit."),
    "media_type_unsupported": Kind(415, "The body has the wrong media type", "Send the Content-Type named in facts."),
    "body_invalid": Kind(422, "The body does not have the right shape", "Correct the fields named in errors."),
    "position_not_reached": Kind(503, "The view has not come that far yet", "Ask again after the seconds of Retry-After, or without min_position."),
    "view_not_built": Kind(503, "The view is being built", "Ask again after the seconds of Retry-After."),
    "storage_unavailable": Kind(503, "The database does not answer", "Send the request again after the seconds of Retry-After, with the same Idempotency-Key."),
    "secrets_unreadable": Kind(503, "The keys of this shop cannot be opened", "Send it again later. Whoever runs this installation: set SYNCSTORE_ENCRYPTION_KEYS to every key in use."),
    "internal_error": Kind(500, "Something went wrong here", "Send it again with the same Idempotency-Key; if it stays, report the correlation id."),
}  # fmt: skip

_STATUS_OF_REFUSALS: Final[dict[int, str]] = {
    404: "product_unknown sku_unknown listing_unknown connection_unknown conflict_unknown",
    409: "product_exists product_archived stock_insufficient stock_moved count_outdated sku_taken sku_is_variant "
    "listing_exists listing_linked listing_unlinked connection_exists connection_needs_person shop_connected "
    "shop_connected_elsewhere",
    412: "version_stale",
    422: "refused base_price_invalid cell_is_formula cells_do_not_fit columns_missing columns_repeated "
    "conflict_policy_invalid conflict_value_invalid conflict_value_missing connection_invalid count_from_future currency_unsupported "
    "dimension_out_of_range file_empty file_is_workbook idempotency_key_reused images_invalid item_repeated name_invalid not_utf8 "
    "measure_unreadable number_ambiguous number_fractional number_negative number_shortened number_unreadable option_incomplete override_sku_unknown "
    "override_unknown price_out_of_range price_too_large pricing_platform_unknown pricing_rule_invalid "
    "quantity_out_of_range quotes_broken row_unsupported sku_invalid sku_repeated sku_repeated_in_file "
    "status_not_settable status_unknown stock_out_of_range tags_invalid text_invalid value_missing variant_unknown "
    "variants_disagree variants_invalid variants_missing warehouse_invalid",
    400: "cursor_invalid",
    503: "too_busy",
}
"""What the domain and the use cases refuse; their remedies are theirs."""

_REFUSALS: Final = {
    code: Kind(status, code.replace("_", " ").capitalize())
    for status, codes in _STATUS_OF_REFUSALS.items()
    for code in codes.split()
}

KINDS: Final[Mapping[str, Kind]] = {**_REFUSALS, **_OWN}
"""Code -> what it means over HTTP."""

_encode: Final = msgspec.json.Encoder(enc_hook=str).encode

Rendered = tuple[int, dict[str, str], bytes]
"""Status, headers and body of an answer."""


def render(problem: Problem | Refusal, correlation_id: UUID) -> Rendered:
    """The problem document that tells of a problem or a domain's refusal."""
    if isinstance(problem, Refusal):
        return _render_refusal(problem, correlation_id)
    kind = KINDS[problem.code]
    return _document(
        problem.code, kind, str(problem), kind.remedy, correlation_id, problem.facts, problem.errors, problem.headers
    )


def _render_refusal(refusal: Refusal, correlation_id: UUID) -> Rendered:
    kind = KINDS.get(refusal.code, KINDS["refused"])
    field = refusal.facts.get("field")
    pointer = pointer_to(field) if isinstance(field, str) else None
    errors = () if pointer is None else (Fault(detail=str(refusal), pointer=pointer),)
    facts = {name: value for name, value in refusal.facts.items() if name != "field"}
    remedy = refusal.remedy or kind.remedy
    return _document(refusal.code, kind, str(refusal), remedy, correlation_id, facts, errors, {})


def _document(
    code: str,
    kind: Kind,
    detail: str,
    remedy: str,
    correlation_id: UUID,
    facts: dict[str, Any],
    errors: tuple[Fault, ...],
    headers: dict[str, str],
) -> Rendered:
    document = ProblemDocument(
        type=f"urn:syncstore:problem:{code}",
        title=kind.title,
        status=kind.status,
        code=code,
        detail=detail,
        remedy=remedy,
        correlation_id=correlation_id,
        facts=facts,
        errors=errors,
    )
    headers = {"content-type": MEDIA_TYPE, **headers}
    if kind.status == 401:
        headers.setdefault("www-authenticate", 'Bearer realm="syncstore"')
    if kind.status == 503:
        headers.setdefault("retry-after", "1")
    return kind.status, headers, _encode(document)


_MEASURES: Final = frozenset({"weight_kg", "length_cm", "width_cm", "height_cm"})


def pointer_to(field: str) -> str:
    """A JSON pointer to where bodies have a field that a refusal names."""
    return f"/dimensions/{field}" if field in _MEASURES else f"/{field}"


def problem_of(error: Exception) -> Problem | Refusal | None:  # noqa: PLR0911  # one arm a cause
    """What an exception means to a caller; None when it means that something of ours is broken."""
    match error:
        case Problem() | Refusal():
            return error
        case DatabaseUnavailable():
            return Problem("storage_unavailable", "the database cannot be reached")
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedFunction():
            return Problem("view_not_built", "the view that is read from does not exist yet")
        case psycopg.DataError():
            return Problem("malformed_request", "a value is beyond what can be looked for")
        case psycopg.errors.QueryCanceled() | psycopg.errors.LockNotAvailable():
            return Problem("storage_unavailable", "the database took too long")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            return Problem("storage_unavailable", "the database cannot be reached")
        case asyncio.TimeoutError():
            return Problem("storage_unavailable", "an answer did not come in time")
        case _:
            return None


def internal_error() -> Problem:
    return Problem("internal_error", "an unexpected error; it has been logged under the correlation id")
