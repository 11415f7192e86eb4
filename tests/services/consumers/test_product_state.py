"""Each product's latest state on the compacted topic."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple

import msgspec
import pytest

from domain.product.state import Product
from infrastructure.kafka import topics
from services.consumers.product_state import PublishProductState
from tests.services.consumers.stage import ORG, Stage, Weighing, sizes


class Message(NamedTuple):
    topic: str
    key: str
    product: Product
    headers: dict[str, str]


class Recorder:
    """Stands where aiokafka's producer does."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.refuses = False

    async def send(
        self, topic: str, value: bytes, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[object]:
        acknowledged = asyncio.get_running_loop().create_future()
        if self.refuses:
            acknowledged.set_exception(ConnectionError("no broker"))
            return acknowledged
        product = msgspec.json.decode(value, type=Product)
        told = {name: content.decode() for name, content in headers}
        self.sent.append(Message(topic, key.decode(), product, told))
        acknowledged.set_result(None)
        return acknowledged


@pytest.fixture
def producer() -> Recorder:
    return Recorder()


@pytest.fixture
def effect(stage: Stage, producer: Recorder) -> PublishProductState:
    return PublishProductState((topics.PRODUCT,), topics.PRODUCT_STATE, stage.store, producer)


async def test_a_batch_sends_each_products_latest_state_once_with_version_and_position(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A", variants=sizes("S", "M", code="A"))
    await stage.create("p2", "B")
    for price in (150_000, 160_000, 170_000):
        await stage.change("p1", base_price=price)
    events = await stage.stored()
    await stage.hand(effect, events)
    by_key = {message.key: message for message in producer.sent}
    assert (len(producer.sent), set(by_key)) == (2, {"p1", "p2"})
    latest = by_key["p1"]
    assert (latest.topic, latest.product.base_price, latest.product.sku) == (topics.PRODUCT_STATE, 170_000, "A")
    assert {variant.sku for variant in latest.product.variants} == {"A-S", "A-M"}
    last = max((event for event in events if event.stream_id == "product-p1"), key=lambda event: event.version)
    assert latest.headers["ce_sequence"] == str(last.version) == "4"
    assert latest.headers["ce_position"] == str(last.position)
    assert (latest.headers["ce_org"], latest.headers["ce_subject"]) == (ORG, "product-p1")


async def test_a_product_that_did_not_change_is_not_sent(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A")
    await stage.create("p2", "B")
    await stage.stored()
    await stage.receive("A", 4)
    await stage.change("p2", name="Kemeja Batik Kawung")
    await stage.hand(effect, await stage.stored())
    assert [message.key for message in producer.sent] == ["p2"]


async def test_products_of_several_organisations_are_told_apart(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A")
    await stage.create("p2", "A", org_id="toko-lain")
    await stage.hand(effect, await stage.stored())
    assert {(message.key, message.headers["ce_org"]) for message in producer.sent} == {
        ("p1", ORG),
        ("p2", "toko-lain"),
    }


async def test_a_broker_that_refuses_fails_the_batch(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A")
    producer.refuses = True
    with pytest.raises(ConnectionError):
        await stage.hand(effect, await stage.stored())


async def test_what_a_broker_refused_is_sent_when_it_takes_it(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A")
    events = await stage.stored()
    producer.refuses = True
    with pytest.raises(ConnectionError):
        await stage.hand(effect, events)
    producer.refuses = False
    await stage.hand(effect, events)
    assert [message.headers["ce_sequence"] for message in producer.sent] == ["1"]


async def test_a_topic_that_was_made_anew_is_sent_what_was_sent_before(
    stage: Stage, effect: PublishProductState, producer: Recorder
) -> None:
    await stage.create("p1", "A")
    await stage.change("p1", base_price=150_000)
    events = await stage.stored()
    await stage.hand(effect, events)
    await stage.hand(effect, events)
    first, second = producer.sent
    assert first == second


async def test_a_long_history_is_read_once(stage: Stage, producer: Recorder) -> None:
    await stage.create("p1", "A")
    for price in range(100_000, 100_050):
        await stage.change("p1", base_price=price)
    store = Weighing(stage.pool)
    effect = PublishProductState((topics.PRODUCT,), topics.PRODUCT_STATE, store, producer)
    await stage.hand(effect, await stage.stored())
    whole = store.handed_out
    await stage.change("p1", base_price=777_000)
    await stage.hand(effect, await stage.stored())
    assert (producer.sent[-1].product.base_price, whole, store.handed_out - whole) == (777_000, 51, 1)
