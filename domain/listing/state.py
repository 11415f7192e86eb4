"""What is known of a listing: per field what we want, what the shop shows, what it confirmed, and what is in the way.

`shadow` is the best knowledge of what the shop shows: the latest of our confirmed pushes and of what was observed. A
field needs pushing where its shadow differs from its target.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from domain.listing.events import ExternalVariant, FieldGroup, Value
from domain.policies.retry import ErrorClass
from domain.values import Platform

US: Final = "us"
"""Who made the shop show a value, when it was our push."""


class NotOpened(Struct, frozen=True):
    """Nothing has happened yet."""


class NotLinked(Struct, frozen=True):
    """No item at the platform yet."""


class Linked(Struct, frozen=True):
    external_id: str
    variants: tuple[ExternalVariant, ...]


class Cut(Struct, frozen=True):
    """Was linked, and shall not be by itself again."""

    external_id: str
    reason: str


Link = NotLinked | Linked | Cut


class Desired(Struct, frozen=True):
    value: Value
    at: datetime
    by: str


class Shadow(Struct, frozen=True):
    value: Value
    at: datetime
    by: str


class Confirmed(Struct, frozen=True):
    value: Value
    at: datetime


class Held(Struct, frozen=True):
    code: str
    reason: str
    recheck_at: datetime | None


class Refused(Struct, frozen=True):
    error_class: ErrorClass
    code: str
    message: str
    attempts: int


class OpenConflict(Struct, frozen=True, kw_only=True):
    """A disagreement that waits for a person."""

    conflict_id: str
    field: str
    theirs: Value
    reason: str
    policy: str
    policy_version: int


class Reassertion(Struct, frozen=True):
    """How often ours was put back in place of one and the same value of theirs."""

    theirs: Value
    times: int


class FieldState(Struct, frozen=True, kw_only=True):
    desired: Desired | None = None
    shadow: Shadow | None = None
    confirmed: Confirmed | None = None
    override: Value = None
    """Shown instead of the desired value; None where there is no override."""
    held: Held | None = None
    refused: Refused | None = None
    conflict: OpenConflict | None = None
    wanted: tuple[Value, ...] = ()
    """Values desired since the last confirmation, the current one last; some of them may be on their way."""
    unsent: int = 0
    """How many values were desired since the last confirmation, remembered or not."""
    earlier: tuple[Value, ...] = ()
    """Values confirmed before the last one, which may still come back as late echoes."""
    reassertion: Reassertion | None = None
    left: Value = None
    """A value of the shop's that is left there until ours moves."""
    let_through: Value = None
    """A value that a person released from a hold of ours."""

    @property
    def target(self) -> Value:
        """What the shop shall show; None where we want nothing."""
        if self.override is not None:
            return self.override
        return None if self.desired is None else self.desired.value

    @property
    def agrees(self) -> bool:
        if self.target is None:
            return True
        shown = None if self.shadow is None else self.shadow.value
        return shown is not None and shown in {self.target, self.left}

    @property
    def superseded(self) -> int:
        """How many desired values a push of the current one skips."""
        return max(self.unsent - 1, 0)


class Listing(Struct, frozen=True, kw_only=True):
    listing_id: str
    product_id: str
    connection_id: str
    platform: Platform
    link: Link = NotLinked()
    fields: Mapping[str, FieldState] = {}
    paused: str | None = None
    """The reason, while paused."""
    in_review: Mapping[FieldGroup, str] = {}
    """Groups under review and why."""
    rejected: Mapping[FieldGroup, str] = {}
    """Groups whose last review failed and why, until something of the group is confirmed again."""
    conflicts_seen: int = 0

    def field(self, name: str) -> FieldState:
        return self.fields.get(name, _NOTHING_KNOWN)

    @property
    def open_conflicts(self) -> tuple[OpenConflict, ...]:
        return tuple(field.conflict for field in self.fields.values() if field.conflict is not None)


_NOTHING_KNOWN: Final = FieldState()

ListingState = NotOpened | Listing
