"""How many pieces are on hand: a serial ledger in which counts and movements may arrive late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

from domain.decider import Decider
from domain.errors import Refusal
from domain.product.limits import check_sku, check_text
from domain.stock import events
from domain.stock.commands import AdjustStock, CountStock, ReceiveStock, StockCommand
from domain.stock.state import MAX_REMEMBERED, Count, Movement, NeverStocked, StockState, StockUnit

MAX_QUANTITY: Final = 1_000_000_000
MAX_WAREHOUSE: Final = 50


class QuantityOutOfRange(Refusal):
    code = "quantity_out_of_range"
    remedy = f"Give whole pieces, at most {MAX_QUANTITY}."


class InvalidWarehouse(Refusal):
    code = "warehouse_invalid"
    remedy = f"Name the warehouse in 1 to {MAX_WAREHOUSE} printable characters."


class NotEnoughStock(Refusal):
    code = "stock_insufficient"
    remedy = "Take away at most what is on hand, or count the shelf."


class UnexpectedStock(Refusal):
    code = "stock_moved"
    remedy = "Look at the figure on hand, and set it again from there or adjust it by a difference."


class CountFromFuture(Refusal):
    code = "count_from_future"
    remedy = "Give the time at which the shelf was looked at."


class CountOutdated(Refusal):
    code = "count_outdated"
    remedy = "A later count is known; count again if it is doubtful."


def decide(command: StockCommand, state: StockState) -> Sequence[events.StockEvent]:
    check_sku(command.sku)
    _check_warehouse(command.warehouse)
    check_text("reason", command.reason, 500)
    match command:
        case ReceiveStock():
            return _receive(command, state)
        case CountStock():
            return _count(command, state)
        case AdjustStock():
            return _adjust(command, state)
        case _:
            assert_never(command)


def on_hand(state: StockState) -> int:
    return state.on_hand if isinstance(state, StockUnit) else 0


def _receive(command: ReceiveStock, state: StockState) -> Sequence[events.StockEvent]:
    _check_quantity("quantity", command.quantity, lowest=1)
    before = on_hand(state)
    after = before if _is_counted(command.at, state) else before + command.quantity
    _check_quantity("on_hand", after, lowest=0)
    return [
        events.StockReceived(
            product_id=command.product_id,
            sku=command.sku,
            warehouse=command.warehouse,
            quantity=command.quantity,
            at=command.at,
            on_hand_before=before,
            on_hand_after=after,
            reason=command.reason,
        )
    ]


def _adjust(command: AdjustStock, state: StockState) -> Sequence[events.StockEvent]:
    _check_quantity("delta", command.delta, lowest=-MAX_QUANTITY)
    if command.delta == 0:
        return []
    before = on_hand(state)
    after = before if _is_counted(command.at, state) else before + command.delta
    if after < 0:
        raise NotEnoughStock(
            f"{command.sku} in {command.warehouse}: {before} on hand, {-command.delta} to be taken away",
            sku=command.sku,
            warehouse=command.warehouse,
            on_hand=before,
            delta=command.delta,
        )
    _check_quantity("on_hand", after, lowest=0)
    return [
        events.StockAdjusted(
            product_id=command.product_id,
            sku=command.sku,
            warehouse=command.warehouse,
            delta=command.delta,
            at=command.at,
            on_hand_before=before,
            on_hand_after=after,
            reason=command.reason,
        )
    ]


def _count(command: CountStock, state: StockState) -> Sequence[events.StockEvent]:
    _check_quantity("counted", command.counted, lowest=0)
    if command.as_of > command.now:
        raise CountFromFuture(f"a count as of {command.as_of.isoformat()} lies ahead", as_of=command.as_of.isoformat())
    before = on_hand(state)
    if isinstance(state, StockUnit):
        if state.counted == Count(command.as_of, command.counted):
            return []
        _check_not_outdated(command.as_of, state)
    if command.expected_on_hand is not None and command.expected_on_hand != before:
        raise UnexpectedStock(
            f"{before} on hand, {command.expected_on_hand} expected", on_hand=before, expected=command.expected_on_hand
        )
    after = command.counted + _moved_since(command.as_of, state)
    # A sale told with a time after the count may take more than was counted: the shelf is then empty, not negative.
    after = max(after, 0)
    _check_quantity("on_hand", after, lowest=0)
    return [
        events.StockCounted(
            product_id=command.product_id,
            sku=command.sku,
            warehouse=command.warehouse,
            counted=command.counted,
            as_of=command.as_of,
            on_hand_before=before,
            on_hand_after=after,
            reason=command.reason,
        )
    ]


def _is_counted(at: datetime, state: StockState) -> bool:
    """Whether the latest count has seen what happened then. At the very same time, what is told later is later."""
    return isinstance(state, StockUnit) and state.counted is not None and at < state.counted.as_of


def _moved_since(as_of: datetime, state: StockState) -> int:
    if isinstance(state, NeverStocked):
        return 0
    return sum(movement.delta for movement in state.movements if movement.at > as_of)


def _check_not_outdated(as_of: datetime, unit: StockUnit) -> None:
    latest = None if unit.counted is None else unit.counted.as_of
    limits = [time for time in (latest, unit.forgotten_at) if time is not None]
    if limits and as_of < max(limits):
        raise CountOutdated(
            f"a count as of {as_of.isoformat()} is older than what is known of {max(limits).isoformat()}",
            as_of=as_of.isoformat(),
            known_since=max(limits).isoformat(),
        )


def _check_quantity(field: str, quantity: int, *, lowest: int) -> None:
    if type(quantity) is not int or not lowest <= quantity <= MAX_QUANTITY:
        raise QuantityOutOfRange(f"{field} {quantity!r} is not from {lowest} to {MAX_QUANTITY}", field=field)


def _check_warehouse(warehouse: str) -> None:
    printable = warehouse.isprintable() and warehouse == warehouse.strip()
    if not printable or not 1 <= len(warehouse) <= MAX_WAREHOUSE:
        raise InvalidWarehouse(f"{warehouse!r} cannot be a warehouse", field="warehouse", warehouse=warehouse)


def evolve(state: StockState, event: events.StockEvent) -> StockState:
    unit = (
        state
        if isinstance(state, StockUnit)
        else StockUnit(product_id=event.product_id, sku=event.sku, warehouse=event.warehouse, on_hand=0)
    )
    match event:
        case events.StockReceived(quantity=delta) | events.StockAdjusted(delta=delta):
            return _moved(unit, Movement(event.at, delta), event.on_hand_after)
        case events.StockCounted(as_of=as_of, counted=counted):
            return StockUnit(
                product_id=unit.product_id,
                sku=unit.sku,
                warehouse=unit.warehouse,
                on_hand=event.on_hand_after,
                counted=Count(as_of, counted),
                movements=tuple(movement for movement in unit.movements if movement.at > as_of),
                forgotten_at=unit.forgotten_at,
            )
        case _:
            assert_never(event)


def _moved(unit: StockUnit, movement: Movement, after: int) -> StockUnit:
    remembered = unit.movements if _is_counted(movement.at, unit) else (*unit.movements, movement)
    forgotten = remembered[:-MAX_REMEMBERED]
    times = [gone.at for gone in forgotten] + ([unit.forgotten_at] if unit.forgotten_at else [])
    return StockUnit(
        product_id=unit.product_id,
        sku=unit.sku,
        warehouse=unit.warehouse,
        on_hand=after,
        counted=unit.counted,
        movements=remembered[-MAX_REMEMBERED:],
        forgotten_at=max(times, default=None),
    )


STOCK: Final[Decider[StockCommand, StockState, events.StockEvent]] = Decider(
    category="stock", initial=NeverStocked(), decide=decide, evolve=evolve
)
