"""The simulated shop's state: its goods, orders, credentials and messages, all in memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

NO_MODEL = 0


class Model(Struct, kw_only=True):
    """A variant. An item without variants has exactly one, with the id 0 and no tier index."""

    model_id: int
    tier_index: list[int] = []
    sku: str = ""
    price: int
    stock: int
    """The seller's stock, reserved pieces included."""
    reserved: int = 0
    price_locked: bool = False
    stock_locked: bool = False


class Tier(Struct, kw_only=True):
    name: str
    options: list[str]


class Item(Struct, kw_only=True):
    item_id: int
    name: str
    description: str
    sku: str
    category_id: int
    weight: str
    """Kilograms, as text."""
    status: str = "NORMAL"
    create_time: int
    update_time: int
    images: list[str]
    channels: list[int]
    days_to_ship: int = 0
    """More than 0 makes it a pre-order."""
    tiers: list[Tier] = []
    models: list[Model]
    variable_from: float = 0.0
    """When `init_tier_variation` gets to know the item."""

    @property
    def deleted(self) -> bool:
        return self.status in ("SELLER_DELETE", "SHOPEE_DELETE")

    def model(self, model_id: int) -> Model | None:
        return next((model for model in self.models if model.model_id == model_id), None)


class OrderLine(Struct, kw_only=True):
    item_id: int
    model_id: int
    quantity: int


class Order(Struct, kw_only=True):
    order_sn: str
    status: str
    create_time: int
    update_time: int
    lines: list[OrderLine]


class Token(Struct, kw_only=True):
    """`dies_at` in epoch seconds; a refresh token that was spent is gone altogether."""

    value: str
    dies_at: float


class LostMessage(Struct, kw_only=True):
    message_id: int
    lost_at: float
    body: dict[str, Any]


class State(Struct, kw_only=True):
    """What survives a restart."""

    items: dict[int, Item] = {}
    orders: dict[str, Order] = {}
    access_tokens: list[Token] = []
    refresh_token: Token | None = None
    code_spent: bool = False
    lost: list[LostMessage] = []
    images: dict[str, bytes] = {}
    holiday: bool = False
    sequence: int = 2_400_000_000
    push_suspended: bool = False


class LoggedCall(Struct, kw_only=True, frozen=True):
    at: float
    method: str
    path: str
    status: int
    error: str
    milliseconds: float


class Emission(Struct, frozen=True):
    """A push that is due."""

    code: int
    data: dict[str, Any]


class Shop:
    """State with the few operations that both the API and the seller's pages use.

    Every change of it goes through here, so that the pushes it causes are never forgotten. `emit` hands them on.
    """

    def __init__(self, state: State, now: Callable[[], float]) -> None:
        self.state = state
        self.now = now
        self.emit: Callable[[Emission], None] = lambda _: None
        self.calls: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.log: deque[LoggedCall] = deque(maxlen=500)
        self.revision = 0

    def next_id(self) -> int:
        self.state.sequence += 1
        return self.state.sequence

    def listed(self) -> Iterator[Item]:
        """All items in the order of their ids."""
        return iter(self.state.items.values())

    def touch(self, item: Item) -> None:
        item.update_time = int(self.now())
        self.revision += 1

    def set_price(self, item: Item, model: Model, price: int) -> None:
        """Does not move `update_time`, as the real shop's price writes do not."""
        old, model.price = model.price, price
        self.revision += 1
        if old != price:
            data = {"old_value": old, "new_value": price, "update_field": "original_price"}
            self._emit_about(22, item, {"model_id": model.model_id, **data})

    def set_stock(self, item: Item, model: Model, stock: int) -> None:
        """There is no push for a stock edit."""
        model.stock = stock
        self.touch(item)

    def set_status(self, item: Item, status: str) -> None:
        item.status = status
        self.touch(item)
        if status == "BANNED":
            details = {
                "violation_type": "Prohibited Listing",
                "violation_reason": "Produk dilarang",
                "suggestion": "Hapus produk",
                "update_time": int(self.now()),
            }
            data = {"item_name": item.name, "item_status": status, "deboost": "FALSE", "item_status_details": [details]}
            self._emit_about(16, item, data)

    def place_order(self, item: Item, model: Model, quantity: int) -> Order:
        """Raises ValueError when not enough is available."""
        if item.status != "NORMAL":
            raise ValueError(f"{item.name} is not on sale")
        if not 0 < quantity <= model.stock - model.reserved:
            raise ValueError(f"{quantity} cannot be ordered, {model.stock - model.reserved} are available")
        now = int(self.now())
        line = OrderLine(item_id=item.item_id, model_id=model.model_id, quantity=quantity)
        order_sn = f"{now:X}{self.next_id():X}"
        order = Order(
            order_sn=order_sn,
            status="READY_TO_SHIP",
            create_time=now,
            update_time=now,
            lines=[line],
        )
        self.state.orders[order.order_sn] = order
        self._reserve(order, item, model, quantity, "place_order")
        self._emit_order(order)
        return order

    def ship_order(self, order: Order) -> None:
        for item, model, quantity in self._lines(order):
            model.stock -= quantity
            self.touch(item)
            self._reserve(order, item, model, -quantity, "ship_order")
        self._move_order(order, "SHIPPED")

    def cancel_order(self, order: Order) -> None:
        for item, model, quantity in self._lines(order):
            self._reserve(order, item, model, -quantity, "cancel_order")
        self._move_order(order, "CANCELLED")

    def _lines(self, order: Order) -> Iterator[tuple[Item, Model, int]]:
        if order.status != "READY_TO_SHIP":
            raise ValueError(f"the order is {order.status} already")
        for line in order.lines:
            item = self.state.items[line.item_id]
            model = item.model(line.model_id)
            if model is not None:
                yield item, model, line.quantity

    def _reserve(self, order: Order, item: Item, model: Model, quantity: int, action: str) -> None:
        old = model.reserved
        model.reserved += quantity
        self.revision += 1
        data = {
            "variation_id": model.model_id,
            "action": action,
            "ordersn": order.order_sn,
            "promotion_id": 0,
            "promotion_type": "",
            "changed_values": [{"name": "reserved_stock", "old": old, "new": model.reserved}],
        }
        self._emit_about(8, item, data)

    def _move_order(self, order: Order, status: str) -> None:
        order.status = status
        order.update_time = int(self.now())
        self._emit_order(order)

    def _emit_order(self, order: Order) -> None:
        items = [{"item_id": line.item_id, "model_id": line.model_id} for line in order.lines]
        data = {"ordersn": order.order_sn, "status": order.status, "update_time": order.update_time, "items": items}
        self.emit(Emission(3, {**data, "completed_scenario": ""}))

    def _emit_about(self, code: int, item: Item, data: dict[str, Any]) -> None:
        self.emit(Emission(code, {"item_id": item.item_id, **data, "update_time": int(self.now())}))
