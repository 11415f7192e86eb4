"""What can be asked of a connection: one shop of an organisation on one platform."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from domain.policies import conflict_policy, pricing_rule
from domain.policies.conflict_policy import DEFAULT_POLICY, ConflictPolicy
from domain.policies.pricing_rule import PricingRule
from domain.values import Platform


class OpenConnection(Struct, frozen=True, kw_only=True):
    connection_id: str
    platform: Platform
    shop_id: str
    label: str
    pricing_rule: PricingRule | None = None
    """None takes the platform's default rule."""
    conflict_policy: ConflictPolicy = DEFAULT_POLICY
    warehouses: tuple[str, ...] = ()
    """Whose stock this shop shows; empty means all."""
    categories: tuple[tuple[str, str], ...] = ()
    """(category of ours, the platform's category id); "" stands for every category not named."""


class ChangePricingRule(Struct, frozen=True, kw_only=True):
    """The rule keeps its id and takes the next version."""

    strategy: pricing_rule.Strategy
    fees: pricing_rule.Fees | UnsetType | None = UNSET
    """UNSET keeps the fees that are known."""
    ending: int | UnsetType | None = UNSET


class ChangeConflictPolicy(Struct, frozen=True, kw_only=True):
    """The policy keeps its id and takes the next version. A group left UNSET keeps its strategy."""

    offer: conflict_policy.Strategy | UnsetType = UNSET
    stock: conflict_policy.Strategy | UnsetType = UNSET
    content: conflict_policy.Strategy | UnsetType = UNSET


class ChangeCategories(Struct, frozen=True, kw_only=True):
    """The whole table; see `OpenConnection.categories`."""

    categories: tuple[tuple[str, str], ...]


class PauseConnection(Struct, frozen=True, kw_only=True):
    reason: str
    needs_person: bool = False


class ResumeConnection(Struct, frozen=True, kw_only=True):
    reason: str
    by_person: bool = False


ConnectionCommand = (
    OpenConnection | ChangePricingRule | ChangeConflictPolicy | ChangeCategories | PauseConnection | ResumeConnection
)
