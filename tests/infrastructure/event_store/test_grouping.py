import asyncio
from collections.abc import Sequence

import pytest

from domain.messages import Append, Appended, Claim, Outcome
from infrastructure.event_store.grouping import Grouping
from infrastructure.postgres.errors import DatabaseUnavailable
from tests.contracts.event_store_contract import ORG, OTHER, append, event, key


class Statements:
    """Stands for the database: answers when it is told to, and keeps what each statement carried."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str]]] = []
        self.gate = asyncio.Event()
        self.failures: list[Exception] = []
        self.poison: str | None = None

    async def __call__(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
        self.sent.append((org_id, [each.stream_id for each in appends]))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        if self.poison in {each.stream_id for each in appends}:
            raise ValueError(self.poison)
        return [Appended(each.expected_version + 1, len(self.sent)) for each in appends]

    async def under_way(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                await asyncio.sleep(0)


def start(grouping: Grouping, each: Append, org: str = ORG) -> asyncio.Task[Outcome]:
    return asyncio.create_task(grouping.append(org, each))


@pytest.fixture
def statements() -> Statements:
    return Statements()


async def wave(statements: Statements, grouping: Grouping, appends: Sequence[Append]) -> list[list[str]]:
    """What rides in each statement after a first one that is in flight while all of them come."""
    first = start(grouping, append("product-first"))
    await statements.under_way(1)
    tasks = [start(grouping, each) for each in appends]
    await asyncio.sleep(0)
    statements.gate.set()
    await asyncio.gather(first, *tasks)
    return [streams for _, streams in statements.sent[1:]]


async def test_a_lone_caller_waits_for_nobody(statements: Statements) -> None:
    statements.gate.set()
    assert await Grouping(statements).append(ORG, append()) == Appended(1, 1)
    assert statements.sent == [(ORG, ["product-1"])]


async def test_what_waits_while_one_is_in_flight_rides_in_the_next(statements: Statements) -> None:
    appends = [append(f"product-{number}") for number in range(3)]
    assert await wave(statements, Grouping(statements), appends) == [[each.stream_id for each in appends]]


async def test_many_ride_half_in_a_second_statement_that_does_not_wait_for_the_first(statements: Statements) -> None:
    grouping = Grouping(statements)
    tasks = [start(grouping, append(f"product-{number}")) for number in range(40)]
    await statements.under_way(2)
    assert [len(streams) for _, streams in statements.sent] == [20, 20]
    late = [start(grouping, append(f"product-{number}")) for number in range(40, 50)]
    await asyncio.sleep(0)
    assert len(statements.sent) == 2, "two are in flight, so these wait"
    statements.gate.set()
    await asyncio.gather(*tasks, *late)
    assert sorted(stream for _, streams in statements.sent for stream in streams) == sorted(
        f"product-{number}" for number in range(50)
    )


async def test_what_contends_with_a_statement_in_flight_waits_for_it(statements: Statements) -> None:
    grouping = Grouping(statements)
    tasks = [start(grouping, append("product-1", expected=turn)) for turn in range(10)]
    await statements.under_way(1)
    await asyncio.sleep(0)
    assert len(statements.sent) == 1, "nobody could ride in a second one"
    statements.gate.set()
    assert await asyncio.gather(*tasks) == [Appended(turn + 1, turn + 1) for turn in range(10)], "one by one, in order"


async def test_who_contends_with_nobody_does_not_wait_for_those_who_do(statements: Statements) -> None:
    grouping = Grouping(statements)
    hot = [start(grouping, append("product-1", expected=turn)) for turn in range(10)]
    await statements.under_way(1)
    await asyncio.sleep(0)
    others = [start(grouping, append(f"product-{number}")) for number in range(2, 6)]
    await statements.under_way(2)
    assert [streams for _, streams in statements.sent] == [
        ["product-1"],
        ["product-2", "product-3", "product-4", "product-5"],
    ]
    statements.gate.set()
    assert [outcome.version for outcome in await asyncio.gather(*hot) if isinstance(outcome, Appended)] == [
        *range(1, 11)
    ]
    await asyncio.gather(*others)


async def test_a_statement_is_bounded_in_riders_and_in_bytes(statements: Statements) -> None:
    appends = [append(f"product-{number}") for number in range(5)]
    assert await wave(statements, Grouping(statements, most=2), appends) == [
        ["product-0", "product-1"],
        ["product-2", "product-3"],
        ["product-4"],
    ]
    fresh = Statements()
    large = [append(f"product-{number}", new=(event(data=b"x" * 60),)) for number in range(3)]
    assert await wave(fresh, Grouping(fresh, most_bytes=100), large) == [["product-0", "product-1"], ["product-2"]]


async def test_what_contends_never_rides_together_and_keeps_its_order(statements: Statements) -> None:
    claim = (Claim("sku", "a"),)
    appends = [
        append("product-1"),
        append("product-1", expected=1),
        append("product-2", idempotency=key()),
        append("product-3", idempotency=key()),
        append("product-4", claims=claim),
        append("product-5", releases=claim),
        append("product-1", expected=2),
        append("product-6"),
    ]
    assert await wave(statements, Grouping(statements), appends) == [
        ["product-1", "product-2", "product-4", "product-6"],
        ["product-1", "product-3", "product-5"],
        ["product-1"],
    ]


async def test_organisations_do_not_ride_together_nor_wait_for_each_other(statements: Statements) -> None:
    grouping = Grouping(statements)
    tasks = [start(grouping, append("product-1"), org) for org in (ORG, OTHER)]
    await statements.under_way(2)
    statements.gate.set()
    await asyncio.gather(*tasks)
    assert sorted(statements.sent) == [(ORG, ["product-1"]), (OTHER, ["product-1"])]


async def test_a_caller_that_gives_up_leaves_the_others_their_outcome(statements: Statements) -> None:
    grouping = Grouping(statements)
    first, second = start(grouping, append("product-1")), start(grouping, append("product-2"))
    await statements.under_way(1)
    waiting = start(grouping, append("product-3"))
    await asyncio.sleep(0)
    for task in (first, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    statements.gate.set()
    assert await second == Appended(1, 1)
    assert await grouping.append(ORG, append("product-4")) == Appended(1, 2)
    assert statements.sent == [(ORG, ["product-1", "product-2"]), (ORG, ["product-4"])]


async def test_a_lost_connection_is_told_to_each_rider_and_to_no_other(statements: Statements) -> None:
    grouping = Grouping(statements)
    statements.failures.append(DatabaseUnavailable("gone"))
    riders = [start(grouping, append(f"product-{number}")) for number in range(3)]
    await statements.under_way(1)
    later = start(grouping, append("product-9"))
    await asyncio.sleep(0)
    statements.gate.set()
    failures = await asyncio.gather(*riders, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["gone"] * 3
    assert await later == Appended(1, 2)
    assert len(statements.sent) == 2


async def test_a_command_that_the_database_refuses_fails_alone(statements: Statements) -> None:
    grouping = Grouping(statements)
    statements.poison = "product-1"
    riders = [start(grouping, append(f"product-{number}")) for number in range(3)]
    await statements.under_way(1)
    statements.gate.set()
    results = await asyncio.gather(*riders, return_exceptions=True)
    assert [type(result) for result in results] == [Appended, ValueError, Appended]


async def test_when_the_loop_stops_nobody_waits_forever(statements: Statements) -> None:
    grouping = Grouping(statements)
    riding = start(grouping, append("product-1"))
    await statements.under_way(1)
    waiting = start(grouping, append("product-2"))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task(), riding, waiting}:
        task.cancel()
    with pytest.raises(ConnectionAbortedError, match="not known"):
        await riding
    with pytest.raises(ConnectionAbortedError, match="nothing was stored"):
        await waiting
