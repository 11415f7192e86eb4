"""Shops, their pricing rules and conflict policies as bodies and answers have them. Bodies are strict."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from domain.connection.state import Connection
from domain.policies import conflict_policy as policies
from domain.policies import pricing_rule as pricing
from domain.policies.conflict_policy import ConflictPolicy
from domain.policies.pricing_rule import PricingRule
from domain.values import Platform


class MarkupBody(pricing.Markup, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="markup"):
    """Base x factor."""


class FeeStackBody(pricing.FeeStack, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="fee_stack"):
    """Base, less discount, plus platform fee, plus payment fee on both, plus shipping; kept within the limits."""


class GrossUpBody(pricing.GrossUp, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="gross_up"):
    """The price of which the base is left after fees."""


class FeesBody(pricing.Fees, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the shop keeps of the price, in percent of it."""


class RuleChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a shop is priced from now on. Fees and ending that are left out stay; null takes them away."""

    strategy: MarkupBody | FeeStackBody | GrossUpBody
    fees: FeesBody | UnsetType | None = UNSET
    ending: int | UnsetType | None = UNSET


class MasterWinsBody(policies.MasterWinsAlways, frozen=True, forbid_unknown_fields=True, tag="master_wins"):
    """Ours is pushed again."""


class PlatformWinsBody(policies.PlatformWinsAlways, frozen=True, forbid_unknown_fields=True, tag="platform_wins"):
    """Theirs is kept as an override."""


class LatestWinsBody(policies.LatestWins, frozen=True, forbid_unknown_fields=True, tag="timestamp"):
    """The later change stands; a tie goes to the master."""


class PriorityBody(policies.PlatformPriority, frozen=True, forbid_unknown_fields=True, tag="platform_priority"):
    """Whoever stands earlier in the order wins: "master" and names of platforms."""


class RuleBody(policies.Rule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A condition and who then wins; all that is given must hold."""


class OrderedRulesBody(Struct, frozen=True, forbid_unknown_fields=True, tag="ordered_rules"):
    """The first rule that applies decides; when none does, a person has to."""

    rules: tuple[RuleBody, ...]


class ManualBody(policies.Manual, frozen=True, forbid_unknown_fields=True, tag="manual"):
    """A person decides each time."""


StrategyBody = MasterWinsBody | PlatformWinsBody | LatestWinsBody | PriorityBody | OrderedRulesBody | ManualBody


class PolicyChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who wins, for each group of fields; a group that is left out stays as it is."""

    offer: StrategyBody | UnsetType = UNSET
    stock: StrategyBody | UnsetType = UNSET
    content: StrategyBody | UnsetType = UNSET


class CategoryBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`ours` empty stands for every category that is not named."""

    ours: Annotated[str, Meta(max_length=200)]
    theirs: Annotated[str, Meta(min_length=1, max_length=100)]


class CategoryTable(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    categories: Annotated[tuple[CategoryBody, ...], Meta(max_length=5000)]


def plain(body: Struct, kind: Any) -> Any:
    """A body as the domain's own type, so that it compares with what is stored."""
    return msgspec.convert(msgspec.to_builtins(body, builtin_types=()), kind, strict=False)


class ConnectionView(Struct, frozen=True, kw_only=True):
    """A shop, with the rule its prices are made by and the policy by which disagreements are decided."""

    id: str
    version: int
    platform: Platform
    shop_id: str
    label: str
    state: Literal["running", "paused"]
    paused: str | None
    needs_person: bool
    pricing_rule: PricingRule
    conflict_policy: ConflictPolicy
    warehouses: tuple[str, ...]
    categories: tuple[CategoryBody, ...]


class ConnectionPage(Struct, frozen=True, kw_only=True):
    items: tuple[ConnectionView, ...]


def connection_view(version: int, connection: Connection) -> ConnectionView:
    paused = connection.paused
    return ConnectionView(
        id=connection.connection_id,
        version=version,
        platform=connection.platform,
        shop_id=connection.shop_id,
        label=connection.label,
        state="running" if paused is None else "paused",
        paused=None if paused is None else paused.reason,
        needs_person=paused is not None and paused.needs_person,
        pricing_rule=connection.pricing_rule,
        conflict_policy=connection.conflict_policy,
        warehouses=connection.warehouses,
        categories=tuple(CategoryBody(ours=ours, theirs=theirs) for ours, theirs in connection.categories),
    )


class PriceChange(Struct, frozen=True, kw_only=True):
    """A price under the rule in force and under the one asked about; null where none can be made.

    `problem` says why there is none, or that a limit of the rule or the platform touches it.
    """

    sku: str
    now: int | None
    then: int | None
    net_then: str | None
    clamped: str | None
    problem: str | None


class RepricedProduct(Struct, frozen=True, kw_only=True):
    product_id: str
    sku: str
    name: str
    prices: tuple[PriceChange, ...]


class RulePreview(Struct, frozen=True, kw_only=True):
    """Products of this page whose prices would change; `looked_at` counts all of the page."""

    items: tuple[RepricedProduct, ...]
    looked_at: int
    next_cursor: str | None
