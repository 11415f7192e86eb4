"""Changes at the shop that are not ours: noticed by notification or by looking, told once, decided by policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import structlog
from msgspec.structs import replace

from domain.connection.commands import PauseConnection
from domain.listing.commands import Choice, ResolveConflict
from domain.listing.events import (
    ConflictDetected,
    ConflictResolved,
    DriftFound,
    ListingLinked,
    OverrideKept,
    PushConfirmed,
    PushRefused,
    ShadowObserved,
)
from domain.policies.conflict_policy import ConflictPolicy, LatestWins, Manual, PlatformWinsAlways
from domain.policies.retry import ErrorClass
from domain.product.commands import AddVariant
from infrastructure.platforms.connector import (
    ExternalListing,
    ListedVariant,
    ListingPage,
    ListingStatus,
    PlatformCallFailed,
    PlatformError,
)
from infrastructure.platforms.hints import LostPush, LostPushes
from infrastructure.platforms.in_memory import LOST_PAGE
from infrastructure.shops import inbox
from services.consumers.lane_keeper import end
from services.consumers.watch import Watch
from tests.plugins.shopee_simulator import until
from tests.services.consumers.stage import ORG, Stage, sizes


@asynccontextmanager
async def watching(stage: Stage, *, before: bool = True) -> AsyncIterator[Watch]:
    """A watch at work; `before`: it has had its first full look."""
    watch = await stage.watch()
    running = asyncio.create_task(watch.run())
    try:
        if before:
            await until(lambda: looked_at(stage))
        yield watch
    finally:
        await end([running])


async def looked_at(stage: Stage) -> bool:
    """Whether the shop has been looked at until now, as far as the clock of the stage goes."""
    watched = (await stage.lane()).watched_until
    return watched is not None and stage.clock.now() - watched < timedelta(minutes=1)


async def notify(stage: Stage, item: str, number: int = 1) -> None:
    body = msgspec.json.encode({"code": 22, "shop_id": 1, "timestamp": 1, "data": {"item_id": int(item)}})
    async with stage.pool.connection() as connection:
        await inbox.accept(connection, org_id=ORG, connection_id="SHP", dedupe_key=f"msg-{number}", body=body)


async def all_handled(stage: Stage) -> bool:
    async with stage.pool.connection() as connection:
        return not await inbox.waiting(connection, org_id=ORG, connection_id="SHP")


async def notified(stage: Stage, item: str, number: int = 1) -> None:
    await notify(stage, item, number)
    await until(lambda: all_handled(stage))


def later(stage: Stage) -> None:
    """Past the time in which an earlier value of ours is taken for a late echo, and before the next poll."""
    stage.clock.wait(90)


async def test_an_echo_of_our_own_push_is_no_event(stage: Stage) -> None:
    item = await stage.listed()
    before = await stage.store.read_stream(ORG, "listing-SHP.p1")
    async with watching(stage):
        await notified(stage, item)
    assert await stage.store.read_stream(ORG, "listing-SHP.p1") == before


async def test_somebodys_edit_while_ours_stands_still_is_drift_and_ours_is_pushed_again(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        stage.shop.change_variant(item, "BTK", price=99_000)
        await notified(stage, item)
    (seen,) = await stage.told(ShadowObserved)
    assert (seen.source, seen.by, [change.new for change in seen.changes]) == ("push", "platform", [99_000])
    (drift,) = await stage.told(DriftFound)
    assert (drift.field, drift.ours, drift.theirs, drift.outcome) == ("price:BTK", 228_850, 99_000, "ours")
    assert await stage.told(ConflictDetected) == []
    stage.shop.calls.clear()
    await stage.settle()
    assert stage.shop.calls == ["update_prices"]
    assert stage.shop.listings[item].variants[0].price == 228_850


async def test_the_same_edit_seen_twice_is_told_once(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        stage.shop.change_variant(item, "BTK", price=99_000)
        await notified(stage, item, 1)
        await notified(stage, item, 2)
    assert len(await stage.told(DriftFound)) == 1


async def test_a_shops_own_value_is_kept_where_the_policy_says_so(stage: Stage) -> None:
    policy = ConflictPolicy(policy_id="ours", version=3, offer=PlatformWinsAlways())
    item = await stage.listed(policy=policy)
    async with watching(stage):
        stage.shop.change_variant(item, "BTK", price=199_900)
        await notified(stage, item)
    (kept,) = await stage.told(OverrideKept)
    assert (kept.field, kept.new) == ("price:BTK", 199_900)
    stage.shop.calls.clear()
    await stage.change(base_price=150_000)
    await stage.settle()
    assert stage.shop.calls == []
    assert stage.shop.listings[item].variants[0].price == 199_900


async def both_moved(stage: Stage, item: str) -> None:
    """Ours to 224,250 by rina, not pushed yet; theirs to 199,900."""
    later(stage)
    await stage.change(base_price=195_000)
    await stage.deliver()
    stage.shop.change_variant(item, "BTK", price=199_900)
    await notified(stage, item)


async def test_both_moved_is_exactly_one_conflict_with_both_sides_and_the_policys_outcome(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        await both_moved(stage, item)
        await notified(stage, item, 2)
    (conflict,) = await stage.told(ConflictDetected)
    assert (conflict.field, conflict.confirmed, conflict.ours, conflict.theirs) == (
        "price:BTK",
        228_850,
        224_250,
        199_900,
    )
    assert (conflict.ours_by, conflict.theirs_by, conflict.strategy) == ("user:rina", "platform", "master_wins")
    assert conflict.ours_at < conflict.theirs_at
    (resolved,) = await stage.told(ConflictResolved)
    assert (resolved.conflict_id, resolved.outcome, resolved.value, resolved.by) == (
        conflict.conflict_id,
        "ours",
        224_250,
        "policy",
    )
    await stage.settle()
    assert stage.shop.listings[item].variants[0].price == 224_250
    assert len(await stage.told(ConflictDetected)) == 1


async def test_the_later_change_stands_where_the_policy_says_so(stage: Stage) -> None:
    item = await stage.listed(policy=ConflictPolicy(policy_id="ours", version=1, offer=LatestWins()))
    async with watching(stage):
        await both_moved(stage, item)
    (resolved,) = await stage.told(ConflictResolved)
    assert (resolved.outcome, resolved.value) == ("theirs", 199_900)
    await stage.settle()
    assert stage.shop.listings[item].variants[0].price == 199_900


@pytest.mark.parametrize(
    ("choice", "value", "shown"),
    [(Choice.OURS, None, 224_250), (Choice.THEIRS, None, 199_900), (Choice.VALUE, 210_000, 210_000)],
)
async def test_a_manual_policy_waits_for_a_person_and_pushes_nothing_of_that_field_until_then(
    stage: Stage, choice: Choice, value: int | None, shown: int
) -> None:
    item = await stage.listed(policy=ConflictPolicy(policy_id="ours", version=1, offer=Manual()))
    async with watching(stage):
        await both_moved(stage, item)
    (conflict,) = await stage.told(ConflictDetected)
    assert await stage.told(ConflictResolved) == []
    await stage.receive("BTK", 2)
    stage.shop.calls.clear()
    await stage.settle()
    assert stage.shop.calls == ["update_stock"]
    assert stage.shop.listings[item].variants[0].price == 199_900
    await stage.tell(ResolveConflict(conflict_id=conflict.conflict_id, outcome=choice, by="user:rina", value=value))
    await stage.settle()
    assert stage.shop.listings[item].variants[0].price == shown
    (resolved,) = await stage.told(ConflictResolved)
    assert (resolved.outcome, resolved.by) == (choice.value, "user:rina")


async def test_a_look_at_what_was_updated_lately_finds_an_edit_that_nobody_told_of(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        stage.clock.wait(180)
        stage.shop.change_variant(item, "BTK", price=99_000)
        await until(lambda: found(stage))
    (seen,) = await stage.told(ShadowObserved)
    assert (seen.source, [change.new for change in seen.changes]) == ("poll", [99_000])


def lose(stage: Stage, shop_id: int, item: str, number: int) -> None:
    """A notification that never came, kept by the platform."""
    body = msgspec.json.encode({"code": 22, "shop_id": shop_id, "timestamp": 1, "data": {"item_id": int(item)}})
    stage.shop.lost.append(LostPush(key=f"lost-{number}", shop_id=str(shop_id), body=body))


async def test_a_notification_that_did_not_arrive_is_taken_up_at_the_next_poll(stage: Stage) -> None:
    item = await stage.listed(shop_id="778899")
    async with watching(stage):
        untouched = stage.shop.listings[item].updated_at
        stage.shop.change_variant(item, "BTK", price=99_000)
        stage.shop.listings[item] = replace(stage.shop.listings[item], updated_at=untouched - timedelta(days=9))
        for number in range(LOST_PAGE):
            lose(stage, 404, item, number)
        lose(stage, 778_899, item, LOST_PAGE)
        stage.clock.wait(180)
        await until(lambda: found(stage))
    (seen,) = await stage.told(ShadowObserved)
    assert (seen.source, [change.new for change in seen.changes]) == ("push", [99_000])
    assert stage.shop.lost == []


async def test_a_lost_notification_goes_to_the_shop_that_it_is_about(stage: Stage) -> None:
    item = await stage.listed()
    await stage.connect("OTHER", shop_id="112233", org_id="another-seller")
    await stage.deliver()
    async with watching(stage):
        lose(stage, 112_233, item, 1)
        stage.clock.wait(180)
        await until(lambda: stage.shop.lost == [])
    async with stage.pool.connection() as connection:
        assert len(await inbox.waiting(connection, org_id="another-seller", connection_id="OTHER")) == 1
        assert await inbox.waiting(connection, org_id=ORG, connection_id="SHP") == []


async def test_a_shop_that_does_not_tell_of_lost_notifications_is_polled_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = await stage.listed()

    async def denied() -> LostPushes:
        error = PlatformError(error_class=ErrorClass.AUTH_DEAD, code="error_permission", message="No permission.")
        raise PlatformCallFailed(error)

    monkeypatch.setattr(stage.connector, "lost_pushes", denied)
    async with watching(stage):
        stage.clock.wait(180)
        stage.shop.change_variant(item, "BTK", price=99_000)
        await until(lambda: found(stage))
    (seen,) = await stage.told(ShadowObserved)
    assert seen.source == "poll"


async def found(stage: Stage) -> bool:
    return bool(await stage.told(DriftFound))


async def test_a_full_look_finds_an_edit_that_the_shop_does_not_count_as_an_update(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        untouched = stage.shop.listings[item].updated_at
        stage.shop.change_variant(item, "BTK", price=99_000)
        stage.shop.listings[item] = replace(stage.shop.listings[item], updated_at=untouched - timedelta(days=9))
        stage.clock.wait(7 * 3_600)
        await until(lambda: found(stage))
    (seen,) = await stage.told(ShadowObserved)
    assert seen.source == "scan"
    lane = await stage.lane()
    assert lane.full_scan_at == lane.watched_until


async def test_the_next_watch_goes_on_where_the_last_one_stopped(stage: Stage) -> None:
    item = await stage.listed()
    async with watching(stage):
        pass
    stage.shop.calls.clear()
    async with watching(stage):
        await notified(stage, item)
    assert "list_listings" not in stage.shop.calls


async def test_a_full_look_goes_through_all_pages(stage: Stage) -> None:
    item = await stage.listed()
    mine = stage.shop.listings.pop(item)
    for number in range(100, 220):
        stage.shop.put(replace(mine, external_id=str(number), sku=f"OTHER-{number}", variants=()))
    stage.shop.put(mine)
    stage.shop.change_variant(item, "BTK", stock=1)
    async with watching(stage):
        pass
    assert stage.shop.calls.count("list_listings") == 3
    assert len(await stage.told(DriftFound)) == 1


@pytest.mark.parametrize("forgotten", [False, True])
async def test_an_item_that_was_deleted_at_the_shop_is_found_missing_and_told_once(
    stage: Stage, *, forgotten: bool
) -> None:
    item = await stage.listed()
    async with watching(stage):
        if forgotten:
            del stage.shop.listings[item]
        else:
            stage.shop.put(replace(stage.shop.listings[item], status=ListingStatus.DELETED))
        for _ in range(2):
            stage.clock.wait(7 * 3_600)
            await until(lambda: looked_at(stage))
    (drift,) = await stage.told(DriftFound)
    assert (drift.field, drift.ours, drift.theirs) == ("listed", True, False)
    (kept,) = await stage.told(OverrideKept)
    assert (kept.field, kept.new) == ("listed", False)
    await stage.change(base_price=150_000)
    await stage.settle()
    (refused,) = await stage.told(PushRefused)
    assert (refused.fields, refused.error_class) == (("price:BTK",), ErrorClass.MISSING)
    assert await stage.queued() == []


async def test_an_item_that_a_page_lacks_is_looked_at_by_itself(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.listed()

    async def short(*_: object) -> ListingPage:
        return ListingPage(items=(), next_cursor=None)

    monkeypatch.setattr(stage.connector, "list_listings", short)
    before = await stage.store.read_stream(ORG, "listing-SHP.p1")
    async with watching(stage):
        pass
    assert "read_listings" in stage.shop.calls
    assert await stage.store.read_stream(ORG, "listing-SHP.p1") == before


async def test_a_value_read_before_our_own_push_was_confirmed_is_nobodys_change(stage: Stage) -> None:
    item = await stage.listed()
    await stage.change(base_price=150_000)
    await stage.deliver()
    read = stage.connector.read_listings
    asked, answered = asyncio.Event(), asyncio.Event()

    async def slow(external_ids: tuple[str, ...]) -> tuple[ExternalListing, ...]:
        shown = await read(external_ids)
        asked.set()
        await answered.wait()
        return shown

    async with watching(stage):
        later(stage)
        stage.shop.change_variant(item, "BTK", price=228_000)  # somebody, just before our push
        stage.connector.read_listings = slow  # type: ignore[method-assign]  # the answer is long under way
        await notify(stage, item)
        async with asyncio.timeout(10):
            await asked.wait()
        await stage.push()
        answered.set()
        await until(lambda: all_handled(stage))
    assert await stage.told(ShadowObserved) == []
    assert (await stage.told(PushConfirmed))[-1].changes[0].new == 172_500
    assert (await stage.told(ConflictDetected), await stage.told(DriftFound)) == ([], [])


async def test_items_that_are_nobodys_are_passed_over(stage: Stage) -> None:
    item = await stage.listed()
    stage.shop.put(replace(stage.shop.listings[item], external_id="555", sku="OTHER", variants=()))
    stage.shop.calls.clear()
    async with watching(stage):
        await notified(stage, "555")
        await notified(stage, "999999", 2)
    assert stage.shop.calls == ["list_listings", "read_listings"]
    assert await stage.store.streams_of(ORG, "listing") == ["listing-SHP.p1"]


async def test_a_notification_that_names_no_item_is_done_with(stage: Stage) -> None:
    await stage.listed()
    async with watching(stage):
        async with stage.pool.connection() as connection:
            body = b'{"code":12,"shop_id":1,"timestamp":1,"data":{}}'
            await inbox.accept(connection, org_id=ORG, connection_id="SHP", dedupe_key="x", body=body)
        await until(lambda: all_handled(stage))
    assert await stage.told(ShadowObserved) == []


async def test_an_item_taken_off_by_somebody_stays_off_where_the_later_change_stands(stage: Stage) -> None:
    item = await stage.listed(policy=ConflictPolicy(policy_id="ours", version=1))
    async with watching(stage):
        stage.shop.put(replace(stage.shop.listings[item], status=ListingStatus.UNLISTED))
        await notified(stage, item)
    (drift,) = await stage.told(DriftFound)
    assert (drift.field, drift.theirs, drift.outcome) == ("listed", False, "theirs")


@pytest.mark.parametrize("kind", [ErrorClass.SERVER, ErrorClass.NETWORK])
async def test_a_shop_that_fails_is_looked_at_again_and_the_failure_is_logged(stage: Stage, kind: ErrorClass) -> None:
    item = await stage.listed()
    async with watching(stage):
        stage.shop.change_variant(item, "BTK", price=99_000)
        stage.shop.fail_next(PlatformError(error_class=kind, code="trouble", retry_after=0.01), 2)
        with structlog.testing.capture_logs() as logs:
            await notified(stage, item)
    assert len(await stage.told(DriftFound)) == 1
    told: list[dict[str, Any]] = [dict(entry) for entry in logs if entry["event"] == "shop_not_watched"]
    assert [(entry["connection_id"], entry["code"], entry["error_class"]) for entry in told] == [
        ("SHP", "trouble", kind.value)
    ] * 2


async def test_a_paused_connection_is_not_looked_at(stage: Stage) -> None:
    item = await stage.listed()
    await stage.connections.handle(stage.context(), "SHP", PauseConnection(reason="holiday"))
    asked = asyncio.Event()
    async with watching(stage, before=False) as watch:
        connection = watch.connection

        async def noticed() -> Any:
            shop = await connection()
            asked.set()
            return shop

        watch.connection = noticed
        await notify(stage, item)
        for _ in range(3):
            asked.clear()
            async with asyncio.timeout(10):
                await asked.wait()
    assert stage.shop.calls == []
    assert not await all_handled(stage)


async def test_a_variant_that_somebody_adds_at_the_shop_in_any_case_is_taken_up_with_our_values(stage: Stage) -> None:
    item = await stage.listed(variants=sizes("S", "M"))
    (large,) = sizes("L")
    await stage.command(AddVariant(variant=large))
    await stage.receive("BTK-L", 3)
    await stage.settle()
    assert {refused.code for refused in await stage.told(PushRefused)} == {"variant_not_at_shop"}
    mine = stage.shop.listings[item]
    added = ListedVariant(external_id="77", sku="btk-l", options=large.options, price=200_000, stock=0)
    stranger = ListedVariant(external_id="78", sku="OTHER", options=large.options, price=200_000, stock=0)
    stage.shop.put(replace(mine, variants=(*mine.variants, added, stranger)))
    async with watching(stage):
        await notified(stage, item)
    linked = (await stage.told(ListingLinked))[-1]
    assert {variant.sku: variant.external_id for variant in linked.variants}["BTK-L"] == "77"
    assert "OTHER" not in {variant.sku for variant in linked.variants}
    await stage.settle()
    shown = {variant.sku: (variant.price, variant.stock) for variant in stage.shop.listings[item].variants}
    assert (shown["btk-l"], shown["OTHER"]) == ((228_850, 3), (200_000, 0))
    assert await stage.queued() == []
