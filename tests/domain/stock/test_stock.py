"""Pieces on hand: received, counted as of a time, adjusted; what comes late is not counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stock import events
from domain.stock.commands import AdjustStock, CountStock, ReceiveStock, StockCommand
from domain.stock.decider import (
    MAX_QUANTITY,
    STOCK,
    CountFromFuture,
    CountOutdated,
    InvalidWarehouse,
    NotEnoughStock,
    QuantityOutOfRange,
    UnexpectedStock,
    on_hand,
)
from domain.stock.state import MAX_REMEMBERED, StockUnit
from tests.support.scenario import scenario

T0 = datetime(2026, 3, 1, 14, 0, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def receive(quantity: int, minutes: float = 0, warehouse: str = "JKT") -> ReceiveStock:
    return ReceiveStock(product_id="p1", sku="BTK-M", warehouse=warehouse, quantity=quantity, at=at(minutes))


def adjust(delta: int, minutes: float = 0) -> AdjustStock:
    return AdjustStock(product_id="p1", sku="BTK-M", warehouse="JKT", delta=delta, at=at(minutes), reason="rusak")


def count(counted: int, minutes: float, expected: int | None = None, now: float = 999) -> CountStock:
    return CountStock(
        product_id="p1",
        sku="BTK-M",
        warehouse="JKT",
        counted=counted,
        as_of=at(minutes),
        now=at(now),
        expected_on_hand=expected,
    )


def after(*commands: StockCommand) -> int:
    return on_hand(scenario(STOCK).after(*commands).state)


def test_what_comes_in_is_told_with_before_and_after() -> None:
    scenario(STOCK).after(receive(10)).when(receive(5, 1)).then(
        events.StockReceived(
            product_id="p1", sku="BTK-M", warehouse="JKT", quantity=5, at=at(1), on_hand_before=10, on_hand_after=15
        )
    )


def test_stock_never_told_of_is_zero() -> None:
    assert after() == 0


def test_an_adjustment_cannot_take_more_than_there_is() -> None:
    assert after(receive(3), adjust(-3)) == 0
    refused = scenario(STOCK).after(receive(3)).when(adjust(-4)).refused(NotEnoughStock)
    assert (refused.facts["on_hand"], refused.facts["delta"]) == (3, -4)
    scenario(STOCK).when(adjust(0)).nothing()


def test_a_count_is_an_adjustment_and_what_comes_late_is_not_counted_twice() -> None:
    counted = scenario(STOCK).after(receive(42, -60), count(40, 0))
    assert on_hand(counted.state) == 40
    late = counted.when(adjust(-1, -2))  # happened before the count, told after it
    assert on_hand(late.outcome) == 40
    assert on_hand(counted.when(adjust(-1, 2)).outcome) == 39


def test_a_count_told_late_keeps_what_moved_since() -> None:
    assert after(receive(42, -60), adjust(-5, 10), count(40, 0)) == 35
    assert after(receive(42, -60), receive(8, 10), count(40, 0)) == 48


def test_a_count_told_late_never_leaves_less_than_nothing() -> None:
    assert after(receive(42, -60), adjust(-40, 10), count(30, 0)) == 0


def test_at_the_same_time_what_is_told_later_is_later() -> None:
    assert after(receive(10, 0), count(7, 0)) == 7
    assert after(count(7, 0), receive(10, 0)) == 17


def test_the_same_count_again_is_nothing() -> None:
    scenario(STOCK).after(count(40, 0), adjust(-1, 5)).when(count(40, 0)).nothing()


def test_a_count_older_than_the_latest_is_refused() -> None:
    scenario(STOCK).after(count(40, 0)).when(count(41, -1)).refused(CountOutdated)
    assert after(count(40, 0), count(41, 0)) == 41


def test_a_count_from_the_future_is_refused() -> None:
    scenario(STOCK).when(count(40, 10, now=9)).refused(CountFromFuture)


def test_a_count_may_expect_what_is_on_hand() -> None:
    assert after(receive(10), count(8, 1, expected=10)) == 8
    scenario(STOCK).after(receive(10)).when(count(8, 1, expected=9)).refused(UnexpectedStock)


def test_a_count_beyond_what_is_remembered_is_refused_rather_than_guessed() -> None:
    many = [receive(1, minute) for minute in range(MAX_REMEMBERED + 5)]
    told = scenario(STOCK).after(*many)
    state = told.state
    assert isinstance(state, StockUnit)
    assert (len(state.movements), state.forgotten_at, state.on_hand) == (MAX_REMEMBERED, at(4), MAX_REMEMBERED + 5)
    told.when(count(0, 3)).refused(CountOutdated)
    assert on_hand(told.when(count(0, 4)).outcome) == MAX_REMEMBERED


@pytest.mark.parametrize(
    "command",
    [receive(0), receive(-1), receive(MAX_QUANTITY + 1), receive(True), count(-1, 0), adjust(MAX_QUANTITY + 1)],
)
def test_quantities_are_whole_pieces_within_bounds(command: StockCommand) -> None:
    scenario(STOCK).when(command).refused(QuantityOutOfRange)


@pytest.mark.parametrize("warehouse", ["", " JKT", "x" * 51, "J\nKT"])
def test_a_warehouse_has_a_name(warehouse: str) -> None:
    scenario(STOCK).when(receive(1, warehouse=warehouse)).refused(InvalidWarehouse)


MOVES = st.lists(
    st.one_of(
        st.builds(receive, st.integers(1, 50), st.integers(-20, 20)),
        st.builds(adjust, st.integers(-20, 20), st.integers(-20, 20)),
        st.builds(count, st.integers(0, 50), st.integers(-20, 20)),
    ),
    max_size=30,
)


@given(MOVES)
def test_the_ledger_never_goes_below_zero_and_every_event_continues_the_last(moves: list[StockCommand]) -> None:
    state, known = STOCK.initial, 0
    for move in moves:
        try:
            told = STOCK.decide(move, state)
        except (NotEnoughStock, CountOutdated):
            continue
        for event in told:
            assert event.on_hand_before == known
            known = event.on_hand_after
            assert known >= 0
        state = STOCK.fold(told, state)
        assert on_hand(state) == known


@given(st.permutations([receive(10, -5), adjust(-3, -2), adjust(2, 3)]))
def test_whatever_order_movements_are_told_in_after_a_count_it_stands(told: list[StockCommand]) -> None:
    assert after(count(40, 0), *told) == 42
