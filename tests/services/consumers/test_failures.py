"""What a platform's refusals and failures lead to: tried again, held, refused with a reason, or left to a person."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.connection.commands import PauseConnection, ResumeConnection
from domain.listing.commands import ReleaseHold
from domain.listing.events import FieldGroup, PushConfirmed, PushHeld, PushRefused
from domain.listing.status import Status, statuses
from domain.policies.conflict_policy import ConflictPolicy, MasterWinsAlways
from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformError
from infrastructure.shops import push_queue
from services.consumers.lane_keeper import end
from tests.plugins.shopee_simulator import until
from tests.services.consumers.stage import Stage


def failing(error_class: ErrorClass, code: str = "trouble", retry_after: float | None = None) -> PlatformError:
    return PlatformError(error_class=error_class, code=code, message=f"the shop says {code}", retry_after=retry_after)


async def edited(stage: Stage, price: int = 150_000) -> None:
    await stage.change(base_price=price)
    await stage.deliver()


async def price_at_shop(stage: Stage, item: str) -> int:
    (variant,) = stage.shop.listings[item].variants
    return variant.price


async def test_a_price_locked_in_a_promotion_is_held_and_goes_by_itself_when_the_promotion_is_over(
    stage: Stage,
) -> None:
    item = await stage.listed()
    stage.shop.locked.add(("price", "BTK"))
    await stage.change(base_price=150_000)
    await stage.receive("BTK", 1)
    await stage.settle()
    (held,) = await stage.told(PushHeld)
    assert (held.fields, held.code) == (("price:BTK",), "in_promotion")
    assert "in promotion" in held.reason
    assert held.recheck_at is not None
    assert await stage.told(PushRefused) == []
    groups = statuses(await stage.listing())
    assert (groups[FieldGroup.OFFER].status, groups[FieldGroup.STOCK].status) == (Status.HELD, Status.SYNCED)
    assert await stage.due() == []
    stage.clock.wait(901)
    await stage.settle()
    assert len(await stage.told(PushHeld)) == 2
    stage.shop.locked.clear()
    stage.clock.wait(901)
    await stage.settle()
    assert await price_at_shop(stage, item) == 172_500
    assert statuses(await stage.listing())[FieldGroup.OFFER].status is Status.SYNCED
    assert await stage.queued() == []


async def test_a_newer_price_does_not_wait_for_the_recheck_of_other_fields(stage: Stage) -> None:
    item = await stage.listed()
    stage.shop.locked.add(("price", "BTK"))
    await edited(stage)
    await stage.settle()
    await stage.receive("BTK", 3)
    stage.shop.calls.clear()
    await stage.settle()
    assert stage.shop.calls == ["update_stock"]
    assert stage.shop.listings[item].variants[0].stock == 7


async def test_a_rate_limit_pauses_the_lane_and_takes_no_attempt(stage: Stage) -> None:
    item = await stage.listed()
    await stage.create("p2", "KWG")
    await stage.deliver()
    await edited(stage)
    stage.shop.fail_next(failing(ErrorClass.RATE, retry_after=30))
    turn = await stage.turn("p1")
    assert turn.attempts == 0
    assert turn.pause_lane_until is not None
    stage.shop.fail_next(failing(ErrorClass.RATE, retry_after=30), 8)
    await stage.push()
    lane = await stage.lane()
    assert lane.paused_until is not None
    assert lane.paused_until > stage.clock.now()
    calls = len(stage.shop.calls)
    await stage.push()
    assert len(stage.shop.calls) == calls
    assert {row.attempts for row in await stage.queued()} == {0}
    stage.shop._failures.clear()  # the quota is there again
    stage.clock.wait(31)
    await stage.settle()
    assert await price_at_shop(stage, item) == 172_500
    assert len(stage.shop.listings) == 2
    assert await stage.told(PushRefused) == []


async def test_a_day_of_nothing_but_rate_limits_is_refused_for_an_operator(stage: Stage) -> None:
    await stage.listed()
    await edited(stage)
    stage.shop.fail_next(failing(ErrorClass.RATE, "daily_quota", retry_after=3_600), 1_000)
    while await stage.queued():
        await stage.push()
        stage.clock.wait(3_601)
        assert stage.clock.ahead < timedelta(days=2)
    (refused,) = await stage.told(PushRefused)
    assert (refused.error_class, refused.code) == (ErrorClass.RATE, "daily_quota")


async def test_days_of_waiting_for_something_else_do_not_count_as_rate_limits(stage: Stage) -> None:
    item = await stage.listed()
    stage.shop.locked.add(("price", "BTK"))
    await edited(stage)
    await stage.settle()
    stage.clock.wait(3 * 86_400)
    stage.shop.fail_next(failing(ErrorClass.RATE, retry_after=30))
    await stage.push()
    assert await stage.told(PushRefused) == []
    stage.shop.locked.clear()
    stage.clock.wait(31)
    await stage.settle()
    assert await price_at_shop(stage, item) == 172_500


@pytest.mark.parametrize("kind", [ErrorClass.NETWORK, ErrorClass.SERVER])
async def test_a_shop_that_does_not_answer_is_tried_with_growing_delays_five_times_and_then_refused(
    stage: Stage, kind: ErrorClass
) -> None:
    item = await stage.listed()
    await edited(stage)
    stage.shop.fail_next(failing(kind, "no_answer"), 5)
    delays = []
    for attempt in range(1, 5):
        await stage.push()
        (row,) = await stage.queued()
        assert row.attempts == attempt
        assert stage.shop.calls == ["update_prices"] * attempt
        async with stage.pool.connection() as connection:
            due_at = await push_queue.next_due(connection, org_id="toko-batik", connection_id="SHP", under_way=())
        assert due_at is not None
        delays.append(round((due_at - stage.clock.now()).total_seconds()))
        stage.clock.wait(60)
    assert delays == sorted(delays)
    assert delays[-1] > delays[0]
    await stage.push()
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.error_class, refused.code) == (("price:BTK",), kind, "no_answer")
    assert refused.message == f"no success in 5 attempts ({kind}): the shop says no_answer"
    assert refused.attempts == 5
    assert await stage.queued() == []
    assert statuses(await stage.listing())[FieldGroup.OFFER].status is Status.ERROR
    await stage.tell(ReleaseHold(reason="the shop is back"))
    await stage.settle()
    assert await price_at_shop(stage, item) == 172_500


async def test_a_success_starts_the_count_of_attempts_anew(stage: Stage) -> None:
    await stage.listed()
    stage.shop.locked.add(("price", "BTK"))
    await edited(stage)
    stage.shop.fail_next(failing(ErrorClass.NETWORK), 4)
    for _ in range(5):
        await stage.push()
        stage.clock.wait(60)
    (row,) = await stage.queued()
    assert (row.attempts, len(await stage.told(PushHeld))) == (0, 1)
    stage.clock.wait(901)
    stage.shop.fail_next(failing(ErrorClass.NETWORK))
    await stage.push()
    assert await stage.told(PushRefused) == []


async def test_a_create_that_is_cut_off_is_tried_again_and_not_doubled(stage: Stage) -> None:
    await stage.connect()
    await stage.create()
    await stage.deliver()
    create = stage.connector.create

    async def cut_off(draft: object, key: str) -> object:
        stage.connector.create = create  # type: ignore[method-assign]  # once
        await create(draft, key)  # type: ignore[arg-type]  # passed on
        stage.shop.fail_next(failing(ErrorClass.NETWORK, "lost_answer"))
        stage.shop.called("answer")
        raise AssertionError

    stage.connector.create = cut_off  # type: ignore[method-assign,assignment]  # the shop makes it, the answer is lost
    await stage.settle()
    assert len(stage.shop.listings) == 1
    assert len(await stage.queued()) == 1
    stage.clock.wait(60)
    await stage.settle()
    assert len(stage.shop.listings) == 1
    assert {group.status for group in statuses(await stage.listing()).values()} == {Status.SYNCED}


@pytest.mark.parametrize("kind", [ErrorClass.AUTH_DEAD, ErrorClass.AUTH_EXPIRED])
async def test_a_dead_authorisation_pauses_the_connection_for_a_person(stage: Stage, kind: ErrorClass) -> None:
    item = await stage.listed()
    await edited(stage)
    stage.shop.fail_next(failing(kind))
    await stage.push()
    shop = await stage.connection()
    assert shop.paused is not None
    assert shop.paused.needs_person
    assert "connect again" in shop.paused.reason
    assert len(await stage.queued()) == 1
    assert await stage.told(PushRefused) == []
    await stage.push()
    assert stage.shop.calls == ["update_prices"]
    resume = ResumeConnection(reason="authorised again", by_person=True)
    await stage.connections.handle(stage.context(), "SHP", resume)
    stage.clock.wait(10)
    await stage.settle()
    assert await price_at_shop(stage, item) == 172_500


@pytest.mark.parametrize("kind", [ErrorClass.VALID, ErrorClass.MISSING, ErrorClass.SIGN])
async def test_what_the_platform_refuses_for_good_is_refused_at_once_until_something_changes(
    stage: Stage, kind: ErrorClass
) -> None:
    item = await stage.listed()
    await edited(stage)
    stage.shop.fail_next(failing(kind, "no"))
    await stage.settle()
    (refused,) = await stage.told(PushRefused)
    assert (refused.error_class, refused.attempts) == (kind, 1)
    assert refused.message.endswith("the shop says no")
    assert await stage.queued() == []
    await edited(stage, 160_000)
    await stage.settle()
    assert await price_at_shop(stage, item) == 184_000


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("price_out_of_range", ("price:BTK",)),
        ("error_item_name_length", ("title",)),
        ("error_invalid_logistic", ("weight",)),
        ("error_category_is_block", ("listed",)),
    ],
)
async def test_an_item_that_the_platform_refuses_blames_the_field_it_speaks_of(
    stage: Stage, code: str, fields: tuple[str, ...]
) -> None:
    await stage.connect()
    await stage.create()
    stage.shop.fail_next(failing(ErrorClass.VALID, code))
    await stage.settle()
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.code) == (fields, code)
    assert stage.shop.calls == ["create"]
    await stage.change(name="Kemeja Batik Kawung")
    await stage.settle()
    assert len(stage.shop.listings) == 1


async def test_one_groups_failure_does_not_stop_the_next(stage: Stage) -> None:
    master = ConflictPolicy(policy_id="master", version=1, content=MasterWinsAlways())
    item = await stage.listed(policy=master)
    await stage.change(base_price=150_000, name="Kemeja Batik Kawung")
    await stage.receive("BTK", 2)
    await stage.deliver()
    stage.shop.fail_next(failing(ErrorClass.SERVER))
    await stage.push()
    shown = stage.shop.listings[item]
    assert (shown.variants[0].stock, shown.variants[0].price, shown.title) == (4, 172_500, "Kemeja Batik Kawung")
    stage.clock.wait(60)
    await stage.push()
    assert stage.shop.listings[item].variants[0].stock == 6
    assert [sorted(change.field for change in told.changes) for told in (await stage.told(PushConfirmed))[1:]] == [
        ["price:BTK", "title"],
        ["stock:BTK"],
    ]


async def test_resuming_a_connection_ends_the_pause_that_its_shop_had_asked_for(stage: Stage) -> None:
    item = await stage.listed()
    await edited(stage)
    stage.shop.fail_next(failing(ErrorClass.RATE, retry_after=86_000))
    await stage.push()
    runner = stage.runner(await stage.lane())
    running = asyncio.create_task(runner.run())
    try:
        await stage.connections.handle(stage.context(), "SHP", PauseConnection(reason="quota raised"))
        stage.clock.wait(5)
        await until(lambda: runner._paused_until is None)  # it has noticed
        await stage.connections.handle(stage.context(), "SHP", ResumeConnection(reason="quota raised"))
        await edited(stage, 160_000)
        stage.clock.wait(5)
        await until(lambda: stage.shop.listings[item].variants[0].price == 184_000)
    finally:
        await runner.close()
        await end([running])
