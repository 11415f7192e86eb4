"""What every outbox promises to a relay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from infrastructure.outbox.operations import NothingParked
from infrastructure.outbox.port import OutboxPort
from infrastructure.outbox.reader import Pending, Refused
from infrastructure.outbox.shards import SHARDS, shard_of
from tests.support.backlog import Fact, rounds


class Stand(Protocol):
    """An outbox whose shards are all owned by `mine`, under `terms`."""

    mine: OutboxPort
    other: OutboxPort
    """The same, as somebody else sees it."""
    terms: dict[int, int]

    async def store(self, *facts: Fact) -> list[int]: ...
    async def begin(self, *facts: Fact) -> list[int]:
        """As `store`, in a transaction that stays open until `commit`."""
        ...

    async def commit(self) -> None: ...
    async def release(self, key: str) -> int: ...
    async def drop(self, key: str) -> int: ...


async def pending(stand: Stand, **how: Any) -> list[Pending]:
    asked: dict[str, Any] = {"low": 0, "passed": {}, "shards": range(SHARDS), "under_way": (), "limit": 100, **how}
    return await stand.mine.pending(**asked)


async def left(stand: Stand) -> list[int]:
    return [row.position for row in await pending(stand)]


async def refuse(stand: Stand, key: str) -> Sequence[Refused]:
    head, *rest = [row for row in await pending(stand) if row.partition_key == key.encode()]
    refused = [Refused(head, "too large"), *(Refused(row, None) for row in rest)]
    assert await stand.mine.park(refused, stand.terms) == len(refused)
    return refused


class OutboxContract:
    async def test_rows_come_by_position_within_the_bounds_asked_for(self, stand: Stand) -> None:
        positions = await stand.store(*rounds(["a", "b", "c"], [1, 2]))
        assert await left(stand) == positions
        assert [row.position for row in await pending(stand, limit=2)] == positions[:2]
        assert [row.position for row in await pending(stand, low=positions[2])] == positions[3:]
        assert [row.position for row in await pending(stand, under_way=positions[1:])] == positions[:1]
        assert {row.partition_key for row in await pending(stand, shards=[shard_of("b")])} == {b"b"}
        first = (await pending(stand))[0]
        assert (first.stream_id, first.version, first.shard) == (b"product-a", 1, shard_of("a"))

    async def test_a_late_commit_appears_below_and_its_appender_is_named_until_then(self, stand: Stand) -> None:
        early = await stand.begin(Fact("a", 1))
        late = await stand.store(Fact("b", 1))
        assert await left(stand) == late
        horizon = await stand.mine.horizon(10)
        assert (horizon.given_out, len(horizon.appenders)) == (late[-1], 1)
        await stand.commit()
        assert await left(stand) == early + late
        assert (await stand.mine.horizon(10)).appenders == {}

    async def test_a_read_begins_at_the_floor_of_a_passed_transaction_once_it_sees_it(self, stand: Stand) -> None:
        below = await stand.store(Fact("a", 1))
        early = await stand.begin(Fact("b", 1))
        late = await stand.store(Fact("c", 1), Fact("d", 1))
        (transaction,) = (await stand.mine.horizon(10)).appenders.values()
        assert transaction is not None
        how: dict[str, Any] = {"low": late[0], "passed": {transaction: below[0]}}
        assert [row.position for row in await pending(stand, **how)] == late[1:]
        await stand.commit()
        assert [row.position for row in await pending(stand, **how)] == early + late
        assert [row.position for row in await pending(stand, low=late[0])] == late[1:]

    async def test_exactly_what_is_named_is_deleted_once(self, stand: Stand) -> None:
        positions = await stand.store(*rounds(["a", "b", "c"], [1, 2]))
        rows = await pending(stand)
        assert await stand.mine.delete(rows[::2], stand.terms) == 3
        assert await stand.mine.delete(rows[::2], stand.terms) == 0
        assert await left(stand) == positions[1::2]

    async def test_nothing_is_changed_by_others_or_under_another_term(self, stand: Stand) -> None:
        positions = await stand.store(*rounds(["a", "b"], [1]))
        rows = await pending(stand)
        refused = [Refused(row, "too large") for row in rows]
        over = {shard: term - 1 for shard, term in stand.terms.items()}
        for outbox, terms in ((stand.mine, over), (stand.mine, {}), (stand.other, stand.terms)):
            assert await outbox.delete(rows, terms) == 0
            assert await outbox.park(refused, terms) == 0
        assert await left(stand) == positions

    async def test_later_rows_of_a_parked_key_are_marked_and_follow_it(self, stand: Stand) -> None:
        await stand.store(*rounds(["a", "b"], [1, 2]))
        await refuse(stand, "a")
        await stand.store(Fact("a", 3))
        rows = await pending(stand)
        assert [(row.partition_key, row.is_parked) for row in rows] == [(b"b", False), (b"b", False), (b"a", True)]
        assert await stand.mine.park([Refused(rows[-1], None)], stand.terms) == 1
        assert await stand.release("a") == 3

    async def test_a_follower_of_a_key_released_meanwhile_stays(self, stand: Stand) -> None:
        await stand.store(Fact("a", 1))
        await refuse(stand, "a")
        await stand.store(Fact("a", 2))
        (follower,) = await pending(stand)
        await stand.release("a")
        assert await stand.mine.park([Refused(follower, None)], stand.terms) == 0
        assert [row.version for row in await pending(stand)] == [1, 2]

    async def test_a_release_is_seen_with_what_it_released(self, stand: Stand) -> None:
        positions = await stand.store(*rounds(["a", "b"], [1, 2]))
        before = (await pending(stand))[0].rewinds
        await refuse(stand, "a")
        assert await stand.release("a") == 2
        rows = await pending(stand)
        assert [row.position for row in rows] == positions
        assert {row.rewinds for row in rows} == {before + 1}
        assert (await stand.mine.horizon(10)).rewinds == before + 1
        assert not any(row.is_parked for row in rows)

    async def test_dropping_gives_up_the_refused_event_alone(self, stand: Stand) -> None:
        positions = await stand.store(*rounds(["a"], [1, 2, 3]))
        await refuse(stand, "a")
        assert await stand.drop("a") == 2
        assert await left(stand) == positions[1:]

    async def test_an_earlier_event_that_came_to_wait_later_is_not_dropped_for_the_refused_one(
        self, stand: Stand
    ) -> None:
        positions = await stand.store(*rounds(["a"], [1, 2, 3]))
        sent, refused, follower = await pending(stand)
        await stand.mine.park([Refused(refused, "too large"), Refused(follower, None)], stand.terms)
        assert await stand.mine.park([Refused(sent, None)], stand.terms) == 1
        assert await stand.drop("a") == 2
        assert await left(stand) == [positions[0], positions[2]]

    async def test_what_does_not_wait_cannot_be_released_or_dropped(self, stand: Stand) -> None:
        with pytest.raises(NothingParked, match="'a'"):
            await stand.release("a")
        with pytest.raises(NothingParked, match="'a'"):
            await stand.drop("a")
