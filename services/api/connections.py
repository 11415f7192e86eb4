"""Shops: the rules their prices are made by, the policies that decide disagreements, and their categories."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, cast

from msgspec import Struct, UnsetType

from domain.connection.commands import ChangeCategories, ChangeConflictPolicy, ChangePricingRule, ConnectionCommand
from domain.connection.decider import changed_rule
from domain.policies.conflict_policy import Strategy as ConflictStrategy
from domain.policies.pricing_rule import Fees
from domain.policies.pricing_rule import Strategy as PricingStrategy
from infrastructure.security.api_keys import Scope
from services.api.catalogue import Cursor, Limit
from services.api.commands import Accepted, accepted, expecting
from services.api.conditions import etag
from services.api.connection_models import (
    CategoryTable,
    ConnectionPage,
    ConnectionView,
    PolicyChange,
    PriceChange,
    RepricedProduct,
    RuleChange,
    RulePreview,
    StrategyBody,
    connection_view,
    plain,
)
from services.api.operations import Answer, Call, endpoint
from services.shops import price_bounds
from services.usecases.repricing import Repriced, repriced

CONNECTIONS: Final = "/api/v2/connections"
ONE: Final = CONNECTIONS + "/{connection_id:str}"
EXAMPLES: Final = {"connection_id": "shopee-1"}
_LOOKED_AT: Final = 100


@endpoint(
    "GET",
    CONNECTIONS,
    scope=Scope.SYNC_READ,
    tag="Connections",
    summary="List connections",
    answers={200: ConnectionPage},
)
async def get_connections(call: Call) -> Answer:
    """Every shop of the organisation, by id; keys and tokens are never shown."""
    found = await call.app.connections.all(call.org_id)
    return Answer(ConnectionPage(items=tuple(connection_view(*one) for one in found)))


@endpoint(
    "GET",
    ONE,
    scope=Scope.SYNC_READ,
    tag="Connections",
    summary="One connection",
    answers={200: ConnectionView},
    refusals=("connection_unknown",),
    path_examples=EXAMPLES,
)
async def get_connection(call: Call) -> Answer:
    version, connection = await call.app.connections.get(call.org_id, call.path("connection_id"))
    return Answer(connection_view(version, connection), headers={"etag": etag(version)})


@endpoint(
    "PUT",
    ONE + "/pricing-rule",
    scope=Scope.SYNC_WRITE,
    tag="Connections",
    summary="Price a shop by another rule",
    answers={200: Accepted},
    refusals=("connection_unknown", "pricing_rule_invalid", "version_stale"),
    command=True,
    conditional=True,
    example={"strategy": {"type": "markup", "factor": "1.18"}},
    path_examples=EXAMPLES,
)
async def change_pricing_rule(call: Call, body: RuleChange) -> Answer:
    """The rule takes the next version, and every price of the shop is made anew. Ask for a preview first."""
    return await _command(call, body, _rule_command(body))


class PreviewQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    limit: Limit = _LOOKED_AT
    cursor: Cursor | None = None


@endpoint(
    "POST",
    ONE + "/pricing-rule/preview",
    scope=Scope.SYNC_READ,
    tag="Connections",
    summary="What another rule would change",
    answers={200: RulePreview},
    refusals=("connection_unknown", "pricing_rule_invalid"),
    example={"strategy": {"type": "fee_stack"}},
    path_examples=EXAMPLES,
)
async def preview_pricing_rule(call: Call, body: RuleChange, query: PreviewQuery) -> Answer:
    """Looks at a page of products, and shows those whose prices would change, with what would hold a price back.
    Nothing is stored or pushed.
    """
    _, connection = await call.app.connections.get(call.org_id, call.path("connection_id"))
    page = await repriced(
        call.app.store,
        call.org_id,
        connection,
        changed_rule(_rule_command(body), connection.pricing_rule),
        bounds=price_bounds().get(connection.platform),
        after=query.cursor or "",
        limit=query.limit,
    )
    items = tuple(
        RepricedProduct(
            product_id=product.product_id,
            sku=product.sku,
            name=product.name,
            prices=tuple(_price_change(one) for one in prices),
        )
        for product, prices in page.changed
    )
    return Answer(RulePreview(items=items, looked_at=page.looked_at, next_cursor=page.after))


@endpoint(
    "PUT",
    ONE + "/conflict-policy",
    scope=Scope.SYNC_WRITE,
    tag="Connections",
    summary="Decide disagreements otherwise",
    answers={200: Accepted},
    refusals=("connection_unknown", "conflict_policy_invalid", "version_stale"),
    command=True,
    conditional=True,
    example={"offer": {"type": "master_wins"}, "content": {"type": "manual"}},
    path_examples=EXAMPLES,
)
async def change_conflict_policy(call: Call, body: PolicyChange) -> Answer:
    """The policy takes the next version. It holds for what is noticed from now on; open conflicts stay open."""
    command = ChangeConflictPolicy(
        offer=_strategy(body.offer), stock=_strategy(body.stock), content=_strategy(body.content)
    )
    return await _command(call, body, command)


@endpoint(
    "PUT",
    ONE + "/categories",
    scope=Scope.SYNC_WRITE,
    tag="Connections",
    summary="Say which category is which at the shop",
    answers={200: Accepted},
    refusals=("connection_unknown", "connection_invalid", "version_stale"),
    command=True,
    conditional=True,
    example={"categories": [{"ours": "Batik", "theirs": "100017"}, {"ours": "", "theirs": "100001"}]},
    path_examples=EXAMPLES,
)
async def change_categories(call: Call, body: CategoryTable) -> Answer:
    """The whole table. Listings that waited for a category are tried again."""
    command = ChangeCategories(categories=tuple((one.ours, one.theirs) for one in body.categories))
    return await _command(call, body, command)


def _strategy(given: StrategyBody | UnsetType) -> ConflictStrategy | UnsetType:
    return given if isinstance(given, UnsetType) else cast("ConflictStrategy", plain(given, ConflictStrategy))


def _rule_command(body: RuleChange) -> ChangePricingRule:
    return ChangePricingRule(
        strategy=plain(body.strategy, PricingStrategy),
        fees=plain(body.fees, Fees) if isinstance(body.fees, Struct) else body.fees,
        ending=body.ending,
    )


def _price_change(one: Repriced) -> PriceChange:
    quote = one.quote
    return PriceChange(
        sku=one.sku,
        now=one.now,
        then=one.then,
        net_then=None if quote is None or quote.net_after_fee is None else f"{quote.net_after_fee:f}",
        clamped=None if quote is None or quote.clamped is None else quote.clamped.value,
        problem=one.problem,
    )


async def _command(call: Call, body: Any, command: ConnectionCommand) -> Answer:
    connection_id = call.path("connection_id")
    handle = partial(call.app.connections.handle, call.context(), connection_id, command, once=call.once(body))
    done = await expecting(call, None, lambda expected: handle(expected=expected))
    return accepted(connection_id, done, f"{CONNECTIONS}/{connection_id}")


ROUTES: Final = (
    get_connections,
    get_connection,
    change_pricing_rule,
    preview_pricing_rule,
    change_conflict_policy,
    change_categories,
)
