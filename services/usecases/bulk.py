"""Many products changed by one request: each item ends in a state of its own, none for the sake of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from domain.errors import Refusal
from domain.messages import CommandContext
from domain.ports import EventStore, Identities
from domain.product.commands import ProductCommand
from domain.product.decider import NoSuchProduct
from domain.product.events import ProductEvent
from domain.product.state import NotCreated, ProductState
from domain.values import stream_id
from services.usecases.aggregates import PRODUCT
from services.usecases.conditions import Once
from services.usecases.many import Intent, decide_many
from services.usecases.outcome import Done

CHUNK: Final = 300


class RepeatedItem(Refusal):
    code = "item_repeated"
    remedy = "Name each product once in a request, with all that shall change of it."


class ProductUpdate(Struct, frozen=True, kw_only=True):
    """Commands for one product, of which all are done or none; under a key, once."""

    product_id: str
    commands: tuple[ProductCommand, ...]
    once: Once | None = None


class ItemResult(Struct, frozen=True, kw_only=True):
    """`outcome` is "updated", "unchanged" or "refused"; the last with code, reason, remedy and facts."""

    product_id: str
    outcome: str
    version: int = 0
    position: int = 0
    code: str | None = None
    reason: str = ""
    remedy: str = ""
    facts: dict[str, Any] = {}


async def update_products(
    updates: Sequence[ProductUpdate],
    *,
    store: EventStore,
    identities: Identities,
    context: CommandContext,
) -> Sequence[ItemResult]:
    """One result for each update, in order. A product named again is refused there and changed by the first only."""
    results: dict[int, ItemResult] = {}
    first: dict[str, int] = {}
    for place, update in enumerate(updates):
        if first.setdefault(update.product_id, place) != place:
            refusal = RepeatedItem(f"product {update.product_id} is item {first[update.product_id]} already")
            results[place] = _result(update, refusal)
    places = list(first.values())
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        intents = [_intent(updates[place]) for place in chunk]
        outcomes = await decide_many(PRODUCT, intents, store=store, identities=identities, context=context)
        results |= {place: _result(updates[place], outcome) for place, outcome in zip(chunk, outcomes, strict=True)}
    return [results[place] for place in range(len(updates))]


def _intent(update: ProductUpdate) -> Intent[ProductState, ProductEvent]:
    return Intent(stream_id("product", update.product_id), update.product_id, InTurn(update.commands), update.once)


@dataclass(frozen=True, slots=True)
class InTurn:
    """Decide several commands, each on the state that the one before leads to."""

    commands: Sequence[ProductCommand]

    def __call__(self, state: ProductState) -> Sequence[ProductEvent]:
        if isinstance(state, NotCreated):
            raise NoSuchProduct("there is no such product")
        decided: list[ProductEvent] = []
        for command in self.commands:
            events = PRODUCT.decider.decide(command, state)
            state = PRODUCT.decider.fold(events, state)
            decided += events
        return decided


def _result(update: ProductUpdate, outcome: Done[ProductState, ProductEvent] | Refusal) -> ItemResult:
    if isinstance(outcome, Refusal):
        return ItemResult(
            product_id=update.product_id,
            outcome="refused",
            code=outcome.code,
            reason=str(outcome),
            remedy=outcome.remedy,
            facts=outcome.facts,
        )
    return ItemResult(
        product_id=update.product_id,
        outcome="updated" if outcome.events or outcome.replayed else "unchanged",
        version=outcome.version,
        position=outcome.position,
    )
