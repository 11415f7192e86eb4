"""The situations a connection can be in: not there yet, or open, and then perhaps paused."""

from __future__ import annotations

from msgspec import Struct

from domain.policies.conflict_policy import ConflictPolicy
from domain.policies.pricing_rule import PricingRule
from domain.values import Platform


class NotOpened(Struct, frozen=True):
    """Nothing has happened yet."""


class Paused(Struct, frozen=True):
    reason: str
    needs_person: bool


class Connection(Struct, frozen=True, kw_only=True):
    connection_id: str
    platform: Platform
    shop_id: str
    label: str
    pricing_rule: PricingRule
    conflict_policy: ConflictPolicy
    warehouses: tuple[str, ...] = ()
    categories: tuple[tuple[str, str], ...] = ()
    paused: Paused | None = None

    def category_for(self, category: str) -> str | None:
        """The platform's id for a category of ours; None where nobody has said which."""
        known = dict(self.categories)
        return known.get(category, known.get(""))


ConnectionState = NotOpened | Connection
