import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from infrastructure.platforms.hints import HintKind, ListingHint
from infrastructure.platforms.shopee.webhook import receive, understand
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.pushes import HEALTH_SAMPLE
from services.simulators.shopee.seed import seed
from tests.plugins.shopee_simulator import RunningShopee, StartShopee, until


class Receiver:
    """A callback URL that answers with the given statuses in turn, the last one from then on."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses = [200]
        self.answer = b""
        self.received: list[tuple[bytes, str]] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            headers: dict[str, str] = {}
            while (header := await reader.readline()).strip():
                name, _, value = header.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers["content-length"]))
            assert line.startswith(b"POST /callback ")
            self.received.append((body, headers["authorization"]))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(self.answer)}\r\n\r\n".encode() + self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
    yield receiver
    server.close()


@asynccontextmanager
async def pushing(start: StartShopee, receiver: Receiver, **other: Any) -> AsyncIterator[RunningShopee]:
    config = SimulatorConfig(callback_url=receiver.url, push_time_scale=0.0, **other)
    async with start(config) as shopee:
        yield shopee


def hints(shopee: RunningShopee, receiver: Receiver, key: str | None = None) -> list[ListingHint]:
    keys = (key or shopee.simulator.config.partner_key,)
    messages = [
        receive(keys=keys, callback_url=receiver.url, raw_body=body, signature=signature)
        for body, signature in receiver.received
    ]
    return [hint for message in messages for hint in message.hints]


async def test_a_price_edit_is_pushed_signed(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver, push_key="push-key") as shopee:
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_price(item, item.models[0], 200_000)
        await until(lambda: shopee.simulator.pushes.delivered == 1)
        expected = ListingHint(str(item.item_id), str(item.models[0].model_id), HintKind.PRICE)
        assert hints(shopee, receiver, "push-key") == [expected]


async def test_an_order_is_pushed_as_order_and_reservation_and_a_ban_as_violation(
    start_shopee: StartShopee, receiver: Receiver
) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        (item,) = seed(shopee.shop, 1)
        order = shopee.shop.place_order(item, item.models[0], 2)
        shopee.shop.ship_order(order)
        shopee.shop.set_status(item, "BANNED")
        await until(lambda: shopee.simulator.pushes.delivered == 5)
        kinds = sorted(hint.kind.value for hint in hints(shopee, receiver))
        assert kinds == ["order", "order", "status", "stock", "stock"]


async def test_a_stock_edit_is_not_pushed(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_stock(item, item.models[0], 3)
        assert shopee.simulator.pushes.waiting == 0


async def test_a_push_is_tried_four_times_in_all(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        receiver.statuses = [500, 500, 500, 204]
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_price(item, item.models[0], 200_000)
        await until(lambda: shopee.simulator.pushes.delivered == 1)
        assert len(receiver.received) == 4
        assert len(set(receiver.received)) == 1


async def test_a_body_in_the_answer_is_a_failure(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        receiver.answer = b"ok"
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_price(item, item.models[0], 200_000)
        await until(lambda: len(shopee.shop.state.lost) == 1)


async def test_lost_messages_are_fetched_and_confirmed(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        receiver.statuses = [500]
        connector = await shopee.connector()
        items = seed(shopee.shop, 120)
        for item in items:
            shopee.shop.set_price(item, item.models[0], item.models[0].price + 500)
        await until(lambda: len(shopee.shop.state.lost) == 120)
        first = await connector.lost_pushes()
        assert first.more
        assert (await connector.lost_pushes()).token == first.token
        assert first.token is not None
        await connector.confirm_lost_pushes(first.token)
        rest = await connector.lost_pushes()
        assert not rest.more
        seen = {hint.external_id for push in first.messages + rest.messages for hint in understand(push.body).hints}
        assert seen == {str(item.item_id) for item in items}


async def test_lost_messages_are_kept_three_days(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        receiver.statuses = [500]
        connector = await shopee.connector()
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_price(item, item.models[0], 200_000)
        await until(lambda: len(shopee.shop.state.lost) == 1)
        shopee.clock.ahead += 3 * 86_400 + 1
        found = await connector.lost_pushes()
        assert (found.messages, found.token) == ((), None)


async def test_a_feed_that_fails_too_often_is_switched_off(start_shopee: StartShopee, receiver: Receiver) -> None:
    async with pushing(start_shopee, receiver) as shopee:
        receiver.statuses = [500]
        (item,) = seed(shopee.shop, 1)
        for number in range(HEALTH_SAMPLE // 4):
            shopee.shop.set_price(item, item.models[0], 150_000 + number)
        await until(lambda: shopee.shop.state.push_suspended and shopee.simulator.pushes.waiting == 0, 30)
        assert shopee.simulator.pushes.health().verdict == "suspended"
        tried = len(receiver.received)
        shopee.shop.set_price(item, item.models[0], 200_000)
        assert shopee.simulator.pushes.waiting == 0
        assert len(receiver.received) == tried


async def test_what_is_undelivered_at_the_end_is_lost_and_not_forgotten(
    start_shopee: StartShopee, receiver: Receiver
) -> None:
    async with start_shopee(SimulatorConfig(callback_url=receiver.url)) as shopee:
        receiver.statuses = [500]
        (item,) = seed(shopee.shop, 1)
        shopee.shop.set_price(item, item.models[0], 200_000)
        await until(lambda: len(receiver.received) == 1)
        assert shopee.shop.state.lost == []
    assert len(shopee.shop.state.lost) == 1
