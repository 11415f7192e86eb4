"""What has happened to a connection: one shop of an organisation on one platform.

Secrets (keys, tokens) are not events; they are sealed in a table of their own.
"""

from __future__ import annotations

from msgspec import Struct

from domain.policies.conflicts import ConflictPolicy
from domain.policies.pricing import PricingRule
from domain.values import Platform


class ConnectionOpened(Struct, frozen=True, kw_only=True):
    connection_id: str
    platform: Platform
    shop_id: str
    label: str
    pricing_rule: PricingRule
    conflict_policy: ConflictPolicy
    warehouses: tuple[str, ...] = ()
    """Whose stock this shop shows; empty means all."""
    categories: tuple[tuple[str, str], ...] = ()
    """(category of ours, the platform's category id); "" stands for every category not named."""


class PricingRuleChanged(Struct, frozen=True, kw_only=True):
    old: PricingRule
    new: PricingRule


class ConflictPolicyChanged(Struct, frozen=True, kw_only=True):
    old: ConflictPolicy
    new: ConflictPolicy


class CategoriesChanged(Struct, frozen=True, kw_only=True):
    """Each table whole, as in `ConnectionOpened`."""

    old: tuple[tuple[str, str], ...]
    new: tuple[tuple[str, str], ...]


class ConnectionPaused(Struct, frozen=True, kw_only=True):
    """Nothing is sent to the shop. `needs_person` is True when only a person can resume it (authorisation lost)."""

    reason: str
    needs_person: bool


class ConnectionResumed(Struct, frozen=True, kw_only=True):
    reason: str


ConnectionEvent = (
    ConnectionOpened
    | PricingRuleChanged
    | ConflictPolicyChanged
    | CategoriesChanged
    | ConnectionPaused
    | ConnectionResumed
)
