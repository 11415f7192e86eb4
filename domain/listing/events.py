"""What has happened to a listing: what we want shown, what the shop shows, what was pushed, where they disagree.

A field is addressed by its name, and by SKU where each variant has its own: "title", "description", "images", "weight",
"listed", "price:BTK-PRG-CKL-L", "stock:BTK-PRG-CKL-L". Prices are whole rupiah, stock whole pieces, weight whole grams,
images addresses with the primary one first.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from domain.policies.retry import ErrorClass
from domain.values import Platform

Value = int | str | bool | tuple[str, ...] | None


class FieldGroup(StrEnum):
    """Fields that a platform takes and answers for together."""

    OFFER = "offer"  # prices
    STOCK = "stock"
    CONTENT = "content"  # title, description, images, weight, listed or not


class ChangedField(Struct, frozen=True, kw_only=True):
    field: str
    old: Value
    new: Value


class ExternalVariant(Struct, frozen=True):
    """A SKU of ours and the platform's id for it (None where the platform has no variant level)."""

    sku: str
    external_id: str | None


class ListingOpened(Struct, frozen=True, kw_only=True):
    """A product is meant to be shown in a shop; nothing has reached the shop yet."""

    listing_id: str
    product_id: str
    connection_id: str
    platform: Platform


class ListingLinked(Struct, frozen=True, kw_only=True):
    """The listing is this item at the platform: created by us, or found there."""

    external_id: str
    variants: tuple[ExternalVariant, ...]
    created: bool
    """True when our push created the item."""
    reason: str


class ListingUnlinked(Struct, frozen=True, kw_only=True):
    """The tie to the platform's item is cut and stays cut: it is not linked again by itself."""

    external_id: str
    reason: str


class PriceQuoted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a price came about under the rule of its event: whole rupiah but for `exact`, which is before limits and
    rounding; `clamped` is "minimum" or "maximum" where a limit of the rule cut it.
    """

    field: str
    base: int
    exact: Decimal
    rounding: str
    price: int
    clamped: str | None = None


class DesiredChanged(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What we want the shop to show. `cause` is the product, stock or rule event behind it.

    A new value of None: the field is not to be shown any more, and what the shop still shows of it is left alone.
    `pricing_rule` and `pricing_rule_version` name the rule in force when a price is among the changes, `quotes` how
    each price came about that was not overridden.
    """

    changes: tuple[ChangedField, ...]
    cause: str
    changed_at: datetime
    changed_by: str
    pricing_rule: str | None = None
    pricing_rule_version: int | None = None
    quotes: tuple[PriceQuoted, ...] = ()


class ShadowObserved(Struct, frozen=True, kw_only=True):
    """What the platform showed when we looked, where it differs from what it showed before."""

    changes: tuple[ChangedField, ...]
    observed_at: datetime
    source: str
    """How it was noticed: "push", "poll", "read_back", "import"."""
    by: str
    """Who changed it, as far as known: "platform" or a person at the shop; never us (echoes are not observations)."""


class PushConfirmed(Struct, frozen=True, kw_only=True):
    """The platform took these values, each one proven by its answer."""

    changes: tuple[ChangedField, ...]
    """`old` is what had been confirmed before."""
    confirmed_at: datetime
    """When the platform answered."""
    skipped: int
    """How many desired values were superseded and never sent since the last push of these fields."""
    latency_ms: int
    """From the oldest desired change in this push to the platform's answer."""


class PushRefused(Struct, frozen=True, kw_only=True):
    """The platform, or a rule of ours, did not take these fields; they wait for something to change."""

    fields: tuple[str, ...]
    error_class: ErrorClass
    code: str
    message: str
    attempts: int


class PushHeld(Struct, frozen=True, kw_only=True):
    """Neither synced nor failed: the platform's state (promotion, review, holiday) or a guard keeps the fields back."""

    fields: tuple[str, ...]
    code: str
    reason: str
    recheck_at: datetime | None


class HoldReleased(Struct, frozen=True, kw_only=True):
    fields: tuple[str, ...]
    reason: str


class ReviewStarted(Struct, frozen=True, kw_only=True):
    group: FieldGroup
    reason: str


class ReviewEnded(Struct, frozen=True, kw_only=True):
    group: FieldGroup
    approved: bool
    reason: str


class ListingPaused(Struct, frozen=True, kw_only=True):
    """Nothing is pushed until it is resumed; desired values go on changing."""

    reason: str


class ListingResumed(Struct, frozen=True, kw_only=True):
    reason: str


class ConflictDetected(Struct, frozen=True, kw_only=True):
    """The shop's value was moved by someone else and ours has moved too since the last confirmation.

    Also told where only theirs moved but a person has to decide; `confirmed` then equals `ours`. The same id again
    means that an open conflict goes on with other values.
    """

    conflict_id: str
    field: str
    ours: Value
    theirs: Value
    confirmed: Value
    ours_at: datetime
    theirs_at: datetime
    ours_by: str
    theirs_by: str
    reason: str
    strategy: str
    policy: str
    policy_version: int


class ConflictResolved(Struct, frozen=True, kw_only=True):
    """`outcome` is "ours" (pushed again), "theirs" (kept as an override of this listing; the master stays) or "value"
    (a third one, kept as an override and pushed).
    """

    conflict_id: str
    field: str
    outcome: str
    value: Value
    strategy: str
    policy: str
    policy_version: int
    reason: str
    by: str


class DriftFound(Struct, frozen=True, kw_only=True):
    """The shop's value was moved by someone else while ours stood still.

    `outcome` as in `ConflictResolved`, or "left": nothing is done until ours moves.
    """

    field: str
    ours: Value
    theirs: Value
    theirs_at: datetime
    theirs_by: str
    outcome: str
    reason: str
    strategy: str
    policy: str
    policy_version: int


class OverrideKept(Struct, frozen=True, kw_only=True):
    """The shop's own value of a field is kept and followed, whatever the master says; None ends that."""

    field: str
    old: Value
    new: Value
    reason: str


ListingEvent = (
    ListingOpened
    | ListingLinked
    | ListingUnlinked
    | DesiredChanged
    | ShadowObserved
    | PushConfirmed
    | PushRefused
    | PushHeld
    | HoldReleased
    | ReviewStarted
    | ReviewEnded
    | ListingPaused
    | ListingResumed
    | ConflictDetected
    | ConflictResolved
    | DriftFound
    | OverrideKept
)
