"""Laws of the product, over commands of any kind in any order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from domain.errors import Refusal
from domain.events import decode, encode
from domain.product.commands import (
    AddVariant,
    ArchiveProduct,
    ChangeProduct,
    ChangeVariant,
    CreateProduct,
    ProductCommand,
    RemoveVariant,
    ReplaceVariants,
    RestoreProduct,
    SetPlatformOverride,
)
from domain.product.decider import PRODUCT, claims_of
from domain.product.events import Override, ProductEvent
from domain.product.state import Product, ProductState
from domain.values import Option, Platform, ProductStatus, Variant

SKUS = st.sampled_from(["A", "a", "A-1", "A-2", "A-3", "B", "1E+05"])
PRICES = st.integers(0, 5)
VARIANTS = st.builds(
    Variant,
    sku=SKUS,
    options=st.sampled_from(["S", "M", "L"]).map(lambda size: (Option("Ukuran", size),)),
    base_price=st.none() | PRICES,
)
TEXTS = st.text(max_size=4)
OVERRIDES = st.builds(Override, name=st.none() | TEXTS, prices=st.lists(st.tuples(SKUS, PRICES), max_size=2).map(tuple))
COMMANDS: st.SearchStrategy[ProductCommand] = st.one_of(
    st.builds(
        CreateProduct,
        product_id=st.just("p"),
        sku=SKUS,
        name=TEXTS,
        base_price=PRICES,
        variants=st.lists(VARIANTS, max_size=3).map(tuple),
    ),
    st.builds(
        ChangeProduct,
        name=st.just(UNSET) | TEXTS,
        base_price=st.just(UNSET) | PRICES,
        tags=st.just(UNSET) | st.lists(TEXTS, max_size=2).map(tuple),
        status=st.just(UNSET) | st.sampled_from(ProductStatus),
    ),
    st.builds(ReplaceVariants, variants=st.lists(VARIANTS, max_size=3).map(tuple)),
    st.builds(AddVariant, variant=VARIANTS),
    st.builds(ChangeVariant, sku=SKUS, base_price=st.none() | PRICES),
    st.builds(RemoveVariant, sku=SKUS),
    st.builds(SetPlatformOverride, platform=st.sampled_from(Platform), override=OVERRIDES),
    st.just(ArchiveProduct()),
    st.just(RestoreProduct()),
)
START = CreateProduct(product_id="p", sku="A", name="x", base_price=3)


@dataclass(frozen=True)
class Life:
    events: list[ProductEvent]
    states: list[ProductState]


def live(commands: list[ProductCommand]) -> Life:
    life = Life([], [PRODUCT.initial])
    for command in [START, *commands]:
        try:
            told = PRODUCT.decide(command, life.states[-1])
        except Refusal:
            continue
        life.events.extend(told)
        life.states.append(PRODUCT.fold(told, life.states[-1]))
    return life


@given(st.lists(COMMANDS, max_size=12))
def test_replayed_from_stored_bytes_a_product_is_what_it_was(commands: list[ProductCommand]) -> None:
    life = live(commands)
    replayed = [decode(*encode(event)) for event in life.events]
    assert replayed == life.events
    assert PRODUCT.fold(replayed) == life.states[-1]  # type: ignore[arg-type]  # what was encoded are product events


@given(st.lists(COMMANDS, max_size=8), COMMANDS)
def test_a_command_asked_twice_changes_nothing_the_second_time(
    commands: list[ProductCommand], command: ProductCommand
) -> None:
    state = live(commands).states[-1]
    try:
        after = PRODUCT.fold(PRODUCT.decide(command, state), state)
    except Refusal:
        return
    if isinstance(command, RemoveVariant):
        return  # what is gone cannot be named again
    assert list(PRODUCT.decide(command, after)) == []


@given(st.lists(COMMANDS, max_size=12))
def test_every_event_changes_something(commands: list[ProductCommand]) -> None:
    state = PRODUCT.initial
    for event in live(commands).events:
        assert PRODUCT.evolve(state, event) != state
        state = PRODUCT.evolve(state, event)


@given(st.lists(COMMANDS, max_size=12))
def test_a_product_never_sells_two_things_under_one_sku(commands: list[ProductCommand]) -> None:
    for state in live(commands).states:
        if isinstance(state, Product):
            assert len(claims_of(state)) == 1 + len(state.variants)
            sold = {variant.sku for variant in state.sellables}
            assert all(sku in sold for _, override in state.overrides for sku, _ in override.prices)


def in_other_case(command: ProductCommand) -> ProductCommand:
    match command:
        case CreateProduct():
            return replace(command, sku=command.sku.swapcase(), variants=swapped(command.variants))
        case ReplaceVariants():
            return replace(command, variants=swapped(command.variants))
        case AddVariant():
            return replace(command, variant=swapped((command.variant,))[0])
        case ChangeVariant() | RemoveVariant():
            return replace(command, sku=command.sku.swapcase())
        case SetPlatformOverride():
            prices = tuple((sku.swapcase(), price) for sku, price in command.override.prices)
            return replace(command, override=replace(command.override, prices=prices))
        case _:
            return command


def swapped(variants: tuple[Variant, ...]) -> tuple[Variant, ...]:
    return tuple(replace(variant, sku=variant.sku.swapcase()) for variant in variants)


def outcome(command: ProductCommand, state: ProductState) -> object:
    """What comes of a command, with the SKUs in one case."""
    try:
        after = PRODUCT.fold(PRODUCT.decide(command, state), state)
    except Refusal as refusal:
        return type(refusal)
    if not isinstance(after, Product):
        return after
    overrides = {
        platform: (override.name, override.description, {sku.casefold(): price for sku, price in override.prices})
        for platform, override in after.overrides
    }
    variants = tuple(replace(variant, sku=variant.sku.casefold()) for variant in after.variants)
    return replace(after, sku=after.sku.casefold(), variants=variants, overrides=()), overrides, claims_of(after)


@given(st.lists(COMMANDS, max_size=8), COMMANDS)
def test_commands_that_differ_only_in_the_case_of_skus_have_the_same_outcome(
    commands: list[ProductCommand], command: ProductCommand
) -> None:
    state = live(commands).states[-1]
    assert outcome(command, state) == outcome(in_other_case(command), state)
