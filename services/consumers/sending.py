"""Sends what a listing needs to its shop, and sorts the answers: proven, refused, held, to be tried again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from domain.listing.commands import PostponedValue, PushedValue, RefusedValue
from domain.listing.diff import Due, DueField
from domain.listing.events import FieldGroup
from domain.policies import retry
from domain.policies.retry import ErrorClass
from domain.values import Image, Platform
from infrastructure.platforms.connector import (
    Connector,
    ContentChange,
    PlatformCallFailed,
    PlatformError,
    PriceChange,
    PushResult,
    StockChange,
)


@dataclass(slots=True)
class Sent:
    """What became of one listing's push. Rows in none of the lists stay due."""

    platform: Platform
    now: datetime
    attempts: int
    """This one included."""
    jitter: float
    deferred_seconds: float
    """How long the shop's limits have been holding the listing up."""
    confirmed: list[PushedValue] = field(default_factory=list)
    refused: list[RefusedValue] = field(default_factory=list)
    held: list[PostponedValue] = field(default_factory=list)
    superseded: int = 0
    retry_at: datetime | None = None
    counts_as_attempt: bool = False
    pause_lane_until: datetime | None = None
    needs_person: str | None = None
    """Why nothing can be sent to this shop until somebody has seen to it."""

    @property
    def has_news(self) -> bool:
        return bool(self.confirmed or self.refused or self.held)

    @property
    def has_failed(self) -> bool:
        """Something is to be tried again, or somebody is needed."""
        return self.has_news or self.retry_at is not None or self.needs_person is not None

    def prove(self, row: DueField) -> None:
        self.confirmed.append(PushedValue(field=row.field, value=row.value))
        self.superseded += row.superseded

    def fail(self, error: PlatformError, rows: Iterable[DueField]) -> None:
        """Sort the rows by what follows from the error."""
        step = retry.next_step(
            error.error_class,
            self.attempts,
            self.platform,
            retry_after=error.retry_after,
            jitter=self.jitter,
            refreshed=True,  # the connector has refreshed its token and repeated the call already
            deferred_seconds=self.deferred_seconds,
        )
        match step:
            case retry.RetryAfter(seconds=seconds, consumes_attempt=consumes):
                until = self.now + timedelta(seconds=seconds)
                self.retry_at = until if self.retry_at is None else min(self.retry_at, until)
                self.counts_as_attempt |= consumes
                if not consumes:
                    self.pause_lane_until = until
            case retry.Hold(recheck_seconds=seconds, reason=reason):
                recheck = self.now + timedelta(seconds=seconds)
                words = _in_full(reason, error)
                self.held += [
                    PostponedValue(field=row.field, code=error.code, reason=words, recheck_at=recheck) for row in rows
                ]
            case retry.PauseConnection(reason=reason):
                self.needs_person = reason
            case retry.Fail(reason=reason):
                self.refuse(rows, error.error_class, error.code, error.message or reason)
            case retry.Park(reason=reason):
                self.refuse(rows, error.error_class, error.code, _in_full(reason, error))
            case retry.RefreshToken():
                raise AssertionError("a connector refreshes its token itself")
            case _:
                assert_never(step)

    def refuse(self, rows: Iterable[DueField], error_class: ErrorClass, code: str, message: str) -> None:
        self.refused += [
            RefusedValue(
                field=row.field,
                value=row.value,
                error_class=error_class,
                code=code,
                message=message,
                attempts=self.attempts,
            )
            for row in rows
        ]


def _in_full(reason: str, error: PlatformError) -> str:
    """What follows, and the platform's own words."""
    return f"{reason}: {error.message}" if error.message else reason


async def send(
    connector: Connector, external_id: str, variants: Mapping[str, str | None], due: Due, sent: Sent
) -> None:
    """Stock first, so that nothing sold out waits behind a text. One group's failure does not stop the next."""
    for group in (FieldGroup.STOCK, FieldGroup.OFFER, FieldGroup.CONTENT):
        rows = due.get(group, ())
        if not rows or sent.needs_person or sent.pause_lane_until:
            continue
        if group is FieldGroup.CONTENT:
            await _send_content(connector, external_id, rows, sent)
        else:
            await _send_by_sku(connector, external_id, variants, group, rows, sent)


async def _send_by_sku(
    connector: Connector,
    external_id: str,
    variants: Mapping[str, str | None],
    group: FieldGroup,
    rows: Sequence[DueField],
    sent: Sent,
) -> None:
    by_sku: dict[str, DueField] = {row.field.partition(":")[2]: row for row in rows}
    strangers = [row for sku, row in by_sku.items() if sku not in variants]
    sent.refuse(
        strangers,
        ErrorClass.MISSING,
        "variant_not_at_shop",
        "the item at the shop has no such variant: add it there, or list the product anew",
    )
    known = {sku: row for sku, row in by_sku.items() if sku in variants}
    figures = {sku: row.value for sku, row in known.items() if isinstance(row.value, int)}
    sent.refuse(
        [row for sku, row in known.items() if sku not in figures],
        ErrorClass.VALID,
        "not_a_number",
        "a price and a stock are whole numbers: change the product, or resolve the conflict with one",
    )
    known = {sku: known[sku] for sku in figures}
    if not known:
        return
    try:
        if group is FieldGroup.OFFER:
            prices = tuple(PriceChange(variants[sku], sku, price) for sku, price in figures.items())
            result = await connector.update_prices(external_id, prices)
        else:
            pieces = tuple(StockChange(variants[sku], sku, stock) for sku, stock in figures.items())
            result = await connector.update_stock(external_id, pieces)
    except PlatformCallFailed as failed:
        sent.fail(failed.error, known.values())
        return
    answered: dict[str | None, DueField] = dict(known.items())
    _sort(result, answered, sent)


def _sort(result: PushResult, rows: Mapping[str | None, DueField], sent: Sent) -> None:
    for accepted in result.accepted:
        row = rows.get(accepted.sku)
        if row is None:
            continue
        if accepted.value_now == row.value:
            sent.prove(row)
        else:
            sent.refuse(
                [row], ErrorClass.VALID, "value_altered", f"the shop made {accepted.value_now!r} of {row.value!r}"
            )
    for refused in result.refused:
        row = rows.get(refused.sku)
        if row is not None:
            sent.fail(refused.error, [row])


async def _send_content(connector: Connector, external_id: str, rows: Sequence[DueField], sent: Sent) -> None:
    by_name = {row.field: row for row in rows}
    listed = by_name.pop("listed", None)
    try:
        if by_name:
            result = await connector.update_content(external_id, _content(by_name))
            for accepted in result.accepted:
                if accepted.field in by_name:
                    sent.prove(by_name[accepted.field])
            for refused in result.refused:
                if refused.field in by_name:
                    sent.fail(refused.error, [by_name[refused.field]])
    except PlatformCallFailed as failed:
        sent.fail(failed.error, by_name.values())
    if listed is None or sent.needs_person or sent.pause_lane_until:
        return
    try:
        _sort(await connector.set_listed(external_id, listed=bool(listed.value)), {None: listed}, sent)
    except PlatformCallFailed as failed:
        sent.fail(failed.error, [listed])


def _content(rows: Mapping[str, DueField]) -> ContentChange:
    title, description = rows.get("title"), rows.get("description")
    images, weight = rows.get("images"), rows.get("weight")
    return ContentChange(
        title=None if title is None else str(title.value),
        description=None if description is None else str(description.value),
        images=None if images is None else pictures(images.value),
        weight_kg=None if weight is None else kilograms(weight.value),
    )


def pictures(value: object) -> tuple[Image, ...]:
    """Image addresses, the primary one first."""
    urls = value if isinstance(value, tuple | list) else ()
    return tuple(Image(url=url, primary=place == 0) for place, url in enumerate(urls))


def kilograms(value: object) -> Decimal:
    """Of a listing's whole grams."""
    return Decimal(str(value)) / 1000
