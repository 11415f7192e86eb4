"""How an organisation wants disagreements decided: a strategy for each group of fields, under an id and a version."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.listing.events import FieldGroup
from domain.values import Platform


class MasterWinsAlways(Struct, frozen=True, tag="master_wins"):
    """Our value is pushed again, whatever the shop says."""


class PlatformWinsAlways(Struct, frozen=True, tag="platform_wins"):
    """The shop's value is kept as an override."""


class LatestWins(Struct, frozen=True, tag="timestamp"):
    """The later change stands; a tie goes to the master."""


class PlatformPriority(Struct, frozen=True, tag="platform_priority"):
    """Whoever stands earlier in the order wins: "master" and wire names of platforms. Who is absent stands last."""

    order: tuple[str, ...]


class Winner(StrEnum):
    MASTER = "master"
    PLATFORM = "platform"
    LATEST = "latest"
    PERSON = "person"


class Theirs(StrEnum):
    """How the shop's figure compares with ours."""

    LOWER = "lower"
    HIGHER = "higher"


class Rule(Struct, frozen=True, kw_only=True):
    """A condition and who then wins. All that is given must hold; a rule without conditions always applies."""

    name: str
    winner: Winner
    groups: tuple[FieldGroup, ...] = ()
    platforms: tuple[Platform, ...] = ()
    observed_by: tuple[str, ...] = ()
    theirs: Theirs | None = None
    difference_at_most_percent: int | None = None
    """Of our figure, whole percent."""


class OrderedRules(Struct, frozen=True, tag="ordered_rules"):
    """The first rule that applies decides; when none does, a person has to."""

    rules: tuple[Rule, ...]


class Manual(Struct, frozen=True, tag="manual"):
    """A person decides each time."""


Strategy = MasterWinsAlways | PlatformWinsAlways | LatestWins | PlatformPriority | OrderedRules | Manual


class ConflictPolicy(Struct, frozen=True, kw_only=True):
    """One strategy for each group of fields. A changed policy keeps its id and takes the next version."""

    policy_id: str
    version: int
    offer: Strategy = MasterWinsAlways()
    stock: Strategy = MasterWinsAlways()
    content: Strategy = LatestWins()


DEFAULT_POLICY: Final = ConflictPolicy(policy_id="default", version=1)


def strategy_for(policy: ConflictPolicy, group: FieldGroup) -> Strategy:
    return {FieldGroup.OFFER: policy.offer, FieldGroup.STOCK: policy.stock, FieldGroup.CONTENT: policy.content}[group]
