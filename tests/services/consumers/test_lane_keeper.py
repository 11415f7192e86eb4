"""Which process talks to which shop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from infrastructure.platforms.connector import Connector
from infrastructure.platforms.in_memory import InMemoryConnector
from infrastructure.shops import lanes
from infrastructure.shops.lanes import Lane
from infrastructure.shops.secrets import NoSecrets
from services.consumers import lane_keeper
from services.consumers.lane import LaneRunner
from services.consumers.lane_keeper import LaneKeeper
from services.consumers.watch import Watch
from tests.plugins.shopee_simulator import until
from tests.services.consumers.stage import Stage

NAMES = ("S0", "S1", "S2", "S3", "S4")


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lane_keeper, "RENEW_SECONDS", 0.05)


class Noted(InMemoryConnector):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


class Process:
    """One that pushes, with what it has made."""

    def __init__(self, stage: Stage, owner: str, authorisations: dict[str, int]) -> None:
        self.stage = stage
        self.owner = owner
        self.authorisations = authorisations
        self.made: dict[str, list[Noted]] = {}
        self.keeper = LaneKeeper(stage.pool, owner, self.connect, self.authorisation, self.runner, self.watch)
        self.stop = asyncio.Event()

    async def connect(self, lane: Lane) -> tuple[Connector, int]:
        if lane.connection_id not in self.authorisations:
            raise NoSecrets(f"connection {lane.connection_id!r} has no keys")
        connector = Noted(self.stage.shop)
        self.made.setdefault(lane.connection_id, []).append(connector)
        return connector, self.authorisations[lane.connection_id]

    async def authorisation(self, lane: Lane) -> int:
        return self.authorisations[lane.connection_id]

    def runner(self, lane: Lane, connector: Connector) -> LaneRunner:
        stage = self.stage
        return LaneRunner(
            lane, connector, stage.pool, stage.pusher, stage.connections, stage.clock, 2, stage.queue.woken
        )

    def watch(self, lane: Lane, connector: Connector, runner: LaneRunner) -> Watch:
        stage, hours = self.stage, timedelta(hours=6)
        return Watch(
            lane,
            self.owner,
            connector,
            runner.connection,
            stage.pool,
            stage.listings,
            stage.clock,
            stage.identities,
            hours,
            hours,
        )

    def holds(self) -> set[str]:
        return {name for name, made in self.made.items() if not made[-1].closed}


@asynccontextmanager
async def running(*processes: Process) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(process.keeper.run(process.stop)) for process in processes]
    try:
        yield
    finally:
        for process in processes:
            process.stop.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)


async def owners(stage: Stage) -> dict[str, str | None]:
    async with stage.pool.connection() as connection:
        cursor = await connection.execute("select connection_id, owner from shop_lanes")
        return dict(await cursor.fetchall())


@pytest.fixture
async def five(stage: Stage) -> dict[str, int]:
    """Five shops; how often each was authorised."""
    for name in NAMES:
        await stage.connect(name)
    await stage.deliver()
    return dict.fromkeys(NAMES, 1)


async def test_every_lane_has_one_owner_of_two(
    stage: Stage, five: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_keeper, "MOST_LANES", 3)
    one, other = Process(stage, "one", five), Process(stage, "other", five)
    async with running(one, other):
        await until(lambda: one.holds() | other.holds() == set(NAMES))
        assert not one.holds() & other.holds()
        assert sorted((len(one.holds()), len(other.holds()))) == [2, 3]
        held = dict.fromkeys(one.holds(), "one") | dict.fromkeys(other.holds(), "other")
        assert await owners(stage) == held


async def test_a_stopped_one_hands_over_at_once(stage: Stage, five: dict[str, int]) -> None:
    one, other = Process(stage, "one", five), Process(stage, "other", five)
    async with running(other):
        async with running(one):
            await until(lambda: one.holds() | other.holds() == set(NAMES))
        assert one.holds() == set()
        await until(lambda: other.holds() == set(NAMES))
    assert set((await owners(stage)).values()) == {None}


async def test_a_lane_that_another_has_taken_is_left(stage: Stage, five: dict[str, int]) -> None:
    one = Process(stage, "one", five)
    async with running(one):
        await until(lambda: one.holds() == set(NAMES))
        async with stage.pool.connection() as connection:
            await connection.execute(
                "update shop_lanes set owner = 'other', term = term + 1 where connection_id = 'S2'"
            )
        await until(lambda: one.holds() == set(NAMES) - {"S2"})
        assert (await owners(stage))["S2"] == "other"


async def test_new_secrets_make_the_connector_anew(stage: Stage, five: dict[str, int]) -> None:
    one = Process(stage, "one", five)
    async with running(one):
        await until(lambda: one.holds() == set(NAMES))
        five["S3"] = 2
        await until(lambda: len(one.made["S3"]) == 2)
        assert [connector.closed for connector in one.made["S3"]] == [True, False]
        assert {name: len(made) for name, made in one.made.items() if name != "S3"} == dict.fromkeys(
            set(NAMES) - {"S3"}, 1
        )


async def test_a_shop_without_keys_does_not_keep_the_others_waiting_and_is_taken_when_it_has_some(
    stage: Stage, five: dict[str, int]
) -> None:
    del five["S0"]
    one = Process(stage, "one", five)
    async with running(one):
        await until(lambda: one.holds() == set(NAMES) - {"S0"})
        five["S0"] = 1
        await until(lambda: one.holds() == set(NAMES))


async def test_a_connector_that_cannot_be_closed_does_not_stop_the_keeper(stage: Stage, five: dict[str, int]) -> None:
    one = Process(stage, "one", five)
    async with running(one):
        await until(lambda: one.holds() == set(NAMES))
        (broken,) = one.made["S1"]

        async def fails() -> None:
            broken.closed = True
            raise ConnectionError("already gone")

        broken.aclose = fails  # type: ignore[method-assign]  # a broken one
        five["S1"] = 2
        await until(lambda: len(one.made["S1"]) == 2)
        assert one.holds() == set(NAMES)


async def test_a_push_under_way_is_finished_before_the_lane_is_handed_over(stage: Stage) -> None:
    await stage.listed()
    async with stage.pool.connection() as connection:
        await lanes.release(connection, owner="tests")
    one = Process(stage, "one", {"SHP": 1})
    entered, leave = asyncio.Event(), asyncio.Event()
    async with running(one):
        await until(lambda: one.holds() == {"SHP"})
        (connector,) = one.made["SHP"]
        update = connector.update_prices

        async def slow(*given: object) -> object:
            entered.set()
            await leave.wait()
            assert not connector.closed
            return await update(*given)  # type: ignore[arg-type]  # passed on

        connector.update_prices = slow  # type: ignore[method-assign,assignment]  # takes its time
        await stage.change(base_price=150_000)
        await stage.deliver()
        async with asyncio.timeout(10):
            await entered.wait()
        one.stop.set()
        await asyncio.sleep(0)
        assert (await owners(stage))["SHP"] == "one"
        leave.set()
    assert connector.closed
    assert (await owners(stage))["SHP"] is None
    (variant,) = next(iter(stage.shop.listings.values())).variants
    assert variant.price == 172_500
    assert await stage.queued() == []


async def test_a_task_that_lost_its_cancellation_is_cancelled_again() -> None:
    lost = asyncio.Event()

    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await lane_keeper.end([task])
    assert lost.is_set()
    assert task.cancelled()
