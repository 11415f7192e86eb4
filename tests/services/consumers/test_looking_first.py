"""Before something is pushed that the shop's own value might win over, the shop is looked at."""

from __future__ import annotations

from uuid import uuid4

from msgspec.structs import replace

from domain.listing.events import ConflictDetected, ConflictResolved, OverrideKept, ShadowObserved
from domain.policies.conflict_policy import ConflictPolicy, Manual
from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformError
from infrastructure.shops import push_queue
from infrastructure.shops.push_queue import Urgency, Wanted
from tests.services.consumers.stage import ORG, Stage

ASKING = ConflictPolicy(policy_id="asking", version=1, offer=Manual())
PRICE = "price:BTK"


async def ask_to_look(stage: Stage) -> None:
    now = stage.clock.now()
    wanted = Wanted(
        listing_id="SHP.p1",
        org_id=ORG,
        connection_id="SHP",
        product_id="p1",
        urgency=Urgency.PRICE,
        due_at=now,
        since=now,
        correlation_id=uuid4(),
        causation_id=uuid4(),
        look_first=True,
    )
    async with stage.pool.connection() as connection:
        await push_queue.enqueue(connection, [wanted])


async def test_an_edit_that_nobody_told_us_of_is_found_before_it_is_overwritten(stage: Stage) -> None:
    item = await stage.listed(policy=ASKING)
    stage.clock.wait(90)
    stage.shop.change_variant(item, "BTK", price=99_000)
    await stage.change(base_price=200_000)
    await stage.settle()
    (conflict,) = await stage.told(ConflictDetected)
    assert (conflict.field, conflict.ours, conflict.theirs) == (PRICE, 230_000, 99_000)
    assert stage.shop.calls == ["read_listings"]
    assert stage.shop.listings[item].variants[0].price == 99_000


async def test_where_the_master_always_wins_no_call_is_spent_on_looking(stage: Stage) -> None:
    await stage.listed()
    await stage.change(base_price=200_000)
    await stage.settle()
    assert stage.shop.calls == ["update_prices"]


async def test_of_two_edits_of_a_text_the_later_one_stands_though_the_first_is_noticed_late(stage: Stage) -> None:
    item = await stage.listed()
    stage.clock.wait(90)
    stage.shop.put(replace(stage.shop.listings[item], title="Batik promo"))
    stage.clock.wait(60)
    await stage.change(name="Kemeja Batik Parang Baru")
    await stage.settle()
    assert [(one.outcome, one.by) for one in await stage.told(ConflictResolved)] == [("ours", "policy")]
    assert stage.shop.listings[item].title == "Kemeja Batik Parang Baru"


async def test_an_edit_of_ours_after_the_shops_text_was_kept_ends_that(stage: Stage) -> None:
    item = await stage.listed()
    stage.clock.wait(90)
    stage.shop.put(replace(stage.shop.listings[item], title="Batik promo"))
    await ask_to_look(stage)
    await stage.settle()
    assert (await stage.listing()).field("title").override == "Batik promo"
    stage.clock.wait(60)
    await stage.change(name="Kemeja Batik Parang Baru")
    await stage.settle()
    assert [kept.new for kept in await stage.told(OverrideKept)] == ["Batik promo", None]
    assert stage.shop.listings[item].title == "Kemeja Batik Parang Baru"


async def test_a_listing_that_needs_nothing_is_compared_when_a_person_asks(stage: Stage) -> None:
    item = await stage.listed()
    stage.clock.wait(90)
    stage.shop.change_variant(item, "BTK", price=99_000)
    await ask_to_look(stage)
    await stage.settle()
    (seen,) = await stage.told(ShadowObserved)
    assert (seen.source, [change.new for change in seen.changes]) == ("read_back", [99_000])
    assert stage.shop.listings[item].variants[0].price == 228_850
    assert await stage.queued() == []


async def test_a_look_that_failed_is_taken_again(stage: Stage) -> None:
    item = await stage.listed()
    stage.clock.wait(90)
    stage.shop.change_variant(item, "BTK", price=99_000)
    stage.shop.fail_next(PlatformError(error_class=ErrorClass.NETWORK, code="timeout", message="no answer"))
    await ask_to_look(stage)
    await stage.push()
    (waiting,) = await stage.queued()
    assert waiting.look_first
    stage.clock.wait(10)
    await stage.settle()
    assert stage.shop.listings[item].variants[0].price == 228_850


async def test_stock_does_not_wait_for_a_look_at_the_texts(stage: Stage) -> None:
    item = await stage.listed()
    await stage.change(name="Kemeja Batik Kawung")
    await stage.receive("BTK", 1)
    await stage.deliver()
    stage.shop.fail_next(PlatformError(error_class=ErrorClass.NETWORK, code="timeout", message="no answer"))
    await stage.push()
    assert stage.shop.calls == ["read_listings", "update_stock"]
    stage.clock.wait(10)
    await stage.settle()
    assert stage.shop.listings[item].title == "Kemeja Batik Kawung"
