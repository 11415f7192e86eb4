"""What became of each row of a write, read from `success_list`, `failure_list` and the error above them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from domain.policies.retry import ErrorClass
from infrastructure.platforms import connector as port
from infrastructure.platforms.connector import (
    ContentChange,
    PlatformCallFailed,
    PlatformError,
    PushResult,
    RowAccepted,
    RowRefused,
)
from infrastructure.platforms.shopee.envelope import Answer, parse
from infrastructure.platforms.shopee.errors import classify_reason
from infrastructure.platforms.shopee.mapping import NO_MODEL, rupiah
from infrastructure.platforms.shopee.wire import ImageInfo, ItemInfo, ResultRow, RowLists


class Sent(Struct, frozen=True):
    model_id: int
    sku: str
    value: int


class Echo(Struct, frozen=True):
    """An item's content as Shopee repeats it; None where it is silent."""

    item_name: str | None = None
    description: str | None = None
    weight: Decimal | None = None
    image: ImageInfo | None = None


def write_result(field: str, sent: Sequence[Sent], answer: Answer) -> PushResult:
    """The fate of every row sent. Raises `PlatformCallFailed` when the answer is an error without rows."""
    lists = row_lists(answer)
    if answer.error is not None and not lists.success_list and not lists.failure_list:
        raise PlatformCallFailed(answer.error)
    proven = _proven(lists.success_list or [])
    reasons = {_model_id(row): row.failed_reason for row in lists.failure_list or ()}
    accepted = []
    refused = []
    for row in sent:
        if row.model_id in reasons:
            error = classify_reason(reasons[row.model_id], answer.error)
        elif row.model_id in proven:
            accepted.append(RowAccepted(sku=row.sku, field=field, value_now=proven[row.model_id]))
            continue
        else:
            error = answer.error or no_proof(f"model {row.model_id} is in neither list of the answer")
        refused.append(RowRefused(sku=row.sku, field=field, error=error))
    return PushResult(tuple(accepted), tuple(refused))


def all_refused(field: str, sent: Sequence[Sent], error: PlatformError) -> PushResult:
    return PushResult(refused=tuple(RowRefused(sku=row.sku, field=field, error=error) for row in sent))


def content_result(change: ContentChange, image_ids: list[str], echo: Echo) -> PushResult:
    """Each changed field counts as taken when the echo shows it. Images are named as they were asked for."""
    accepted = []
    refused = []

    def compare(field: str, wanted: str | tuple[str, ...], *, same: bool) -> None:
        if same:
            accepted.append(RowAccepted(sku=None, field=field, value_now=wanted))
        else:
            refused.append(RowRefused(sku=None, field=field, error=no_proof(f"the item shows another {field}")))

    if change.title is not None:
        compare(port.TITLE, change.title, same=echo.item_name == change.title)
    if change.description is not None:
        compare(port.DESCRIPTION, change.description, same=echo.description == change.description)
    if change.weight_kg is not None:
        compare(port.WEIGHT, str(change.weight_kg), same=echo.weight == change.weight_kg)
    if change.images is not None:
        shown = echo.image.image_id_list if echo.image else None
        compare(port.IMAGES, tuple(image.url for image in change.images), same=shown == image_ids)
    return PushResult(tuple(accepted), tuple(refused))


def echo_of(item: ItemInfo) -> Echo:
    return Echo(item.item_name, item.description, item.weight, item.image)


def covers(echo: Echo, change: ContentChange) -> bool:
    """Whether the echo speaks of every field that was changed."""
    pairs = (
        (change.title, echo.item_name),
        (change.description, echo.description),
        (change.weight_kg, echo.weight),
        (change.images, echo.image),
    )
    return all(shown is not None for wanted, shown in pairs if wanted is not None)


def row_lists(answer: Answer) -> RowLists:
    """Empty lists when the answer has no content, as most refusals have none."""
    if answer.response in (b"null", b""):
        return RowLists()
    return parse(answer.response, RowLists)


def reason_of(failures: list[ResultRow] | None, whole: PlatformError | None) -> PlatformError:
    if failures:
        return classify_reason(failures[0].failed_reason, whole)
    return whole or no_proof("the item is in neither list of the answer")


def no_proof(message: str) -> PlatformError:
    return PlatformError(error_class=ErrorClass.UNKNOWN, code="no_proof", message=message, hint="no_proof")


def _proven(successes: Sequence[ResultRow]) -> dict[int, int]:
    """Values by model; stock comes in one row a location and adds up."""
    values: dict[int, int] = {}
    for row in successes:
        if row.original_price is not None:
            values[_model_id(row)] = rupiah(row.original_price)
        elif row.stock is not None:
            values[_model_id(row)] = values.get(_model_id(row), 0) + row.stock
    return values


def _model_id(row: ResultRow) -> int:
    return NO_MODEL if row.model_id is None else row.model_id
