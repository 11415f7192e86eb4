"""What can be asked of a listing. Times are when it happened; values are per field as in `domain.listing.events`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.listing.events import ExternalVariant, FieldGroup, PriceQuoted, Value
from domain.policies.conflict_policy import ConflictPolicy
from domain.policies.retry import ErrorClass
from domain.values import Platform

OWN_HOLDS: Final = frozenset({"price_unavailable", "price_clamped", "price_guarded", "price_not_allowed"})
"""Codes of holds that come and go with the desired values, in contrast to those that a platform's answer made."""


class OpenListing(Struct, frozen=True, kw_only=True):
    listing_id: str
    product_id: str
    connection_id: str
    platform: Platform


class LinkListing(Struct, frozen=True, kw_only=True):
    external_id: str
    variants: tuple[ExternalVariant, ...] = ()
    created: bool = False
    reason: str = ""
    again: bool = False
    """True links a listing whose tie was cut; only a person asks for that."""


class UnlinkListing(Struct, frozen=True, kw_only=True):
    reason: str


class HeldValue(Struct, frozen=True, kw_only=True):
    """A value not to be sent. Codes are those of OWN_HOLDS."""

    field: str
    code: str
    reason: str


class SetDesired(Struct, frozen=True, kw_only=True):
    """All that the shop shall show. Fields absent from it are no longer wanted; absent stock is 0.

    A held field that is absent keeps the value it had, as no new one could be made.
    """

    values: Mapping[str, Value]
    cause: str
    at: datetime
    by: str
    pricing_rule: str | None = None
    pricing_rule_version: int | None = None
    quotes: tuple[PriceQuoted, ...] = ()
    """Of prices among the values, as far as the rule has made them."""
    holds: tuple[HeldValue, ...] = ()
    latest_wins: tuple[FieldGroup, ...] = ()
    """Groups in which our later change ends what was kept of the shop's."""


class Observe(Struct, frozen=True, kw_only=True):
    """What the shop showed, whole or in part: only the fields that were looked at."""

    values: Mapping[str, Value]
    observed_at: datetime
    """When the shop changed it, if the shop says so; else when we looked."""
    content_changed_at: datetime | None = None
    """When the shop's texts were changed at the latest, if the shop says so; no platform says it of prices."""
    source: str
    """ "push", "poll", "read_back" or "import"."""
    policy: ConflictPolicy
    by: str = "platform"


class PushedValue(Struct, frozen=True, kw_only=True):
    field: str
    value: Value


class RefusedValue(Struct, frozen=True, kw_only=True):
    """`value` is what was sent."""

    field: str
    value: Value
    error_class: ErrorClass
    code: str
    message: str
    attempts: int = 1


class PostponedValue(Struct, frozen=True, kw_only=True):
    field: str
    code: str
    reason: str
    recheck_at: datetime | None = None


class RecordPush(Struct, frozen=True, kw_only=True):
    """How a push ended, value by value. What is in none of the three stays due."""

    answered_at: datetime
    wanted_since: datetime | None = None
    """The oldest `wanted_since` of what was sent, for the latency; None takes it from the state."""
    confirmed: tuple[PushedValue, ...] = ()
    refused: tuple[RefusedValue, ...] = ()
    held: tuple[PostponedValue, ...] = ()
    skipped: int = 0


class HoldFields(Struct, frozen=True, kw_only=True):
    fields: tuple[str, ...]
    code: str
    reason: str
    recheck_at: datetime | None = None


class ReleaseHold(Struct, frozen=True, kw_only=True):
    """Let held or refused fields be tried again; no fields means all."""

    reason: str
    fields: tuple[str, ...] = ()


class StartReview(Struct, frozen=True, kw_only=True):
    group: FieldGroup
    reason: str


class EndReview(Struct, frozen=True, kw_only=True):
    group: FieldGroup
    approved: bool
    reason: str


class PauseListing(Struct, frozen=True, kw_only=True):
    reason: str


class ResumeListing(Struct, frozen=True, kw_only=True):
    reason: str


class Choice(StrEnum):
    OURS = "ours"
    THEIRS = "theirs"
    VALUE = "value"


class ResolveConflict(Struct, frozen=True, kw_only=True):
    conflict_id: str
    outcome: Choice
    by: str
    value: Value = None
    """Only with `Choice.VALUE`: what the shop shall show instead of either."""
    reason: str = ""


class DropOverride(Struct, frozen=True, kw_only=True):
    """Follow the master again with a field whose shop value was kept."""

    field: str
    reason: str


ListingCommand = (
    OpenListing
    | LinkListing
    | UnlinkListing
    | SetDesired
    | Observe
    | RecordPush
    | HoldFields
    | ReleaseHold
    | StartReview
    | EndReview
    | PauseListing
    | ResumeListing
    | ResolveConflict
    | DropOverride
)
