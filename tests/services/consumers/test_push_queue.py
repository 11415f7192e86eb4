"""Events -> which listings are to be pushed, how urgently, and what else the pushing process has to know."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from domain.connection.commands import PauseConnection, ResumeConnection
from domain.listing.commands import (
    DropOverride,
    LinkListing,
    Observe,
    PauseListing,
    PushedValue,
    RecordPush,
    RefusedValue,
    ReleaseHold,
    ResumeListing,
    UnlinkListing,
)
from domain.policies.conflict_policy import DEFAULT_POLICY
from domain.policies.retry import ErrorClass
from domain.product.commands import ArchiveProduct
from infrastructure.shops import items, lanes, push_queue
from infrastructure.shops.push_queue import Urgency
from tests.services.consumers.stage import ORG, Stage


async def synced(stage: Stage) -> None:
    """One product, shown as it shall be, with nothing queued."""
    await stage.connect()
    await stage.create()
    await stage.receive("BTK", 4)
    await stage.deliver()
    await stage.tell(LinkListing(external_id="9"))
    listing = await stage.listing()
    shown = tuple(PushedValue(field=name, value=field.target) for name, field in listing.fields.items())
    await stage.tell(RecordPush(answered_at=stage.clock.now(), confirmed=shown))
    await emptied(stage)


async def emptied(stage: Stage) -> None:
    await stage.deliver()
    async with stage.pool.connection() as connection:
        for row in await stage.queued():
            await push_queue.done(connection, row)


async def urgency(stage: Stage) -> Urgency:
    await stage.deliver()
    (row,) = await stage.queued()
    await emptied(stage)
    return row.urgency


async def test_what_could_be_oversold_is_more_urgent_than_stock_price_text_and_new_listings(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    assert await urgency(stage) == Urgency.NEW_LISTING
    await stage.receive("BTK", 4)
    assert await urgency(stage) == Urgency.STOCK
    await stage.change(base_price=150_000)
    assert await urgency(stage) == Urgency.PRICE
    await stage.change(name="Kemeja Batik Kawung")
    assert await urgency(stage) == Urgency.CONTENT
    await stage.change(name="Kemeja Batik Mega Mendung", base_price=160_000)
    assert await urgency(stage) == Urgency.PRICE
    await stage.stock.adjust(stage.context(), "BTK", "JKT", -4)
    assert await urgency(stage) == Urgency.STOP_SALE
    await stage.command(ArchiveProduct())
    assert await urgency(stage) == Urgency.STOP_SALE


async def test_a_listing_has_one_row_that_is_as_urgent_as_its_most_urgent_reason(stage: Stage) -> None:
    await synced(stage)
    await stage.change(name="Kemeja Batik Kawung")
    await stage.deliver()
    await stage.stock.adjust(stage.context(), "BTK", "JKT", -4)
    await stage.deliver()
    await stage.change(base_price=160_000)
    await stage.deliver()
    (row,) = await stage.queued()
    assert (row.listing_id, row.urgency, row.revision) == ("SHP.p1", Urgency.STOP_SALE, 3)


async def test_a_batch_delivered_twice_leaves_one_row(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.hand(stage.desired, await stage.stored())
    events = await stage.stored()
    await stage.hand(stage.queue, events)
    await stage.hand(stage.queue, events)
    assert [row.listing_id for row in await stage.queued()] == ["SHP.p1"]


async def test_what_is_only_recorded_queues_nothing(stage: Stage) -> None:
    await synced(stage)
    await stage.tell(PauseListing(reason="checking the pictures"))
    await stage.deliver()
    assert await stage.queued() == []
    await stage.tell(ResumeListing(reason="checked"))
    await stage.deliver()
    assert [row.urgency for row in await stage.queued()] == [Urgency.PRICE]


async def test_releasing_what_was_refused_queues_it(stage: Stage) -> None:
    await synced(stage)
    await stage.change(base_price=160_000)
    await stage.deliver()
    price = (await stage.listing()).field("price:BTK").target
    refused = RefusedValue(
        field="price:BTK", value=price, error_class=ErrorClass.VALID, code="price", message="too low", attempts=1
    )
    await stage.tell(RecordPush(answered_at=stage.clock.now(), refused=(refused,)))
    await emptied(stage)
    await stage.tell(ReleaseHold(reason="try again"))
    await stage.deliver()
    assert [row.attempts for row in await stage.queued()] == [0]


async def test_following_the_master_again_queues_the_listing(stage: Stage) -> None:
    await synced(stage)
    stage.clock.wait(120)
    theirs = Observe(
        values={"title": "Judul toko"}, observed_at=stage.clock.now(), source="poll", policy=DEFAULT_POLICY
    )
    await stage.tell(theirs)
    await emptied(stage)
    await stage.tell(DropOverride(field="title", reason="the master's title is better"))
    await stage.deliver()
    assert [row.listing_id for row in await stage.queued()] == ["SHP.p1"]


async def test_which_item_a_listing_is_follows_links_and_unlinks(stage: Stage) -> None:
    await synced(stage)

    async def known() -> dict[str, str]:
        async with stage.pool.connection() as connection:
            return await items.listings_of(connection, org_id=ORG, connection_id="SHP", external_ids=["9", "10"])

    assert await known() == {"9": "SHP.p1"}
    await stage.tell(UnlinkListing(reason="sold elsewhere"))
    await stage.deliver()
    assert await known() == {}
    await stage.tell(LinkListing(external_id="10", again=True))
    await stage.deliver()
    assert await known() == {"10": "SHP.p1"}


async def test_a_new_connection_opens_its_lane_once(stage: Stage) -> None:
    await stage.connect(shop_id="14701711")
    events = await stage.stored()
    await stage.hand(stage.queue, events)
    await stage.hand(stage.queue, events)
    lane = await stage.lane()
    assert (lane.org_id, lane.platform, lane.shop_id, lane.watched_until) == (ORG, "shopee", "14701711", None)


async def test_resuming_a_connection_ends_the_pause_of_its_lane(stage: Stage) -> None:
    await stage.connect()
    await stage.deliver()
    until = stage.clock.now() + timedelta(hours=1)
    async with stage.pool.connection() as connection:
        await lanes.pause(connection, org_id=ORG, connection_id="SHP", until=until, reason="the shop asked us to wait")
    assert (await stage.lane()).paused_until == until
    await stage.connections.handle(stage.context(), "SHP", PauseConnection(reason="holiday"))
    await stage.connections.handle(stage.context(), "SHP", ResumeConnection(reason="back"))
    await stage.deliver()
    assert (await stage.lane()).paused_until is None


async def test_lanes_of_the_process_are_woken_when_something_was_queued(stage: Stage) -> None:
    woken = stage.queue.woken()
    await stage.connect()
    await stage.create()
    await stage.deliver()
    async with asyncio.timeout(10):
        await woken.wait()
    assert not stage.queue.woken().is_set()
