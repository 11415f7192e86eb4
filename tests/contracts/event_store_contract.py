"""What every event store promises. A store's test subclasses `EventStoreContract` and gives it a store."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.messages import (
    Append,
    Appended,
    Claim,
    ClaimTaken,
    Idempotency,
    NewEvent,
    Outcome,
    RecordedEvent,
    Replayed,
    VersionMoved,
)
from domain.ports import AsOf, EventStore
from infrastructure.event_store.read_all import TokenRefused
from infrastructure.event_store.statement import MAX_EVENT_BYTES, EventTooLarge

ORG, OTHER = "toko-nusantara", "toko-sebelah"
T0 = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
SKU = Claim("sku", "btk-prg")
SHOP = Claim("shop", "shopee:77")


def event(
    number: int = 1, *, occurred_at: datetime = T0, data: bytes | None = None, batch: UUID | None = None
) -> NewEvent:
    return NewEvent(
        event_id=uuid4(),
        type="product.renamed",
        schema=1,
        data=data or f'{{"new":"Kemeja Batik {number} Pékalongan"}}'.encode(),
        occurred_at=occurred_at,
        actor="user:sari",
        correlation_id=UUID(int=7),
        causation_id=UUID(int=8) if batch else None,
        batch_id=batch,
    )


def key(name: str = "order-1", *, asked: bytes = b"asked") -> Idempotency:
    return Idempotency(key=name, fingerprint=asked, response=b'{"said":"\xc3\xa9"}\x00\xff')


def append(stream: str = "product-1", expected: int = 0, events: int = 1, **more: Any) -> Append:
    new = more.pop("new", tuple(event(expected + number) for number in range(1, events + 1)))
    return Append(
        stream_id=stream, partition_key=stream.partition("-")[2], expected_version=expected, events=new, **more
    )


async def everything(store: EventStore, after: str | None = None, limit: int | None = None) -> list[RecordedEvent]:
    return [found async for batch in store.read_all(after=after, limit=limit) for found in batch.events]


def appended(outcomes: Sequence[Outcome]) -> list[Appended]:
    return [outcome for outcome in outcomes if isinstance(outcome, Appended)]


class EventStoreContract:
    """The subclass gives the fixture `store`, with a role that may also `read_all`."""

    async def test_what_is_appended_is_read_as_it_was(self, store: EventStore) -> None:
        new = (event(1), event(2, batch=uuid4()))
        outcome = await store.append(ORG, append(new=new))
        found = await store.read_stream(ORG, "product-1")
        assert isinstance(outcome, Appended)
        assert outcome.version == 2
        assert outcome.position == found[-1].position
        assert [each.version for each in found] == [1, 2]
        assert {(each.org_id, each.stream_id, each.partition_key) for each in found} == {(ORG, "product-1", "1")}
        for given_event, stored in zip(new, found, strict=True):
            assert all(getattr(stored, name) == getattr(given_event, name) for name in NewEvent.__struct_fields__)
            assert stored.recorded_at.tzinfo is not None

    async def test_an_append_expects_the_version_the_stream_is_at(self, store: EventStore) -> None:
        await store.append(ORG, append(events=3))
        assert await store.append(ORG, append(expected=2)) == VersionMoved(2, 3)
        assert await store.append(ORG, append(expected=0)) == VersionMoved(0, 3)
        assert await store.append(ORG, append(expected=4)) == VersionMoved(4, 3)
        assert isinstance(await store.append(ORG, append(expected=3)), Appended)
        assert len(await store.read_stream(ORG, "product-1")) == 4

    async def test_more_expected_of_a_stream_that_is_not_there_leaves_no_trace(self, store: EventStore) -> None:
        assert await store.append(ORG, append(expected=5, idempotency=key(), claims=(SKU,))) == VersionMoved(5, 0)
        assert await store.streams_of(ORG, "product") == []
        assert await store.answered(ORG, "order-1") is None
        assert await store.owner_of(ORG, [SKU]) == {}
        assert isinstance(await store.append(ORG, append(idempotency=key(), claims=(SKU,))), Appended)

    async def test_versions_of_streams_are_those_of_their_last_events(self, store: EventStore) -> None:
        await store.append(ORG, append("product-1", events=3))
        await store.append(ORG, append("product-2"))
        await store.append(OTHER, append("product-3"))
        asked = ["product-1", "product-2", "product-3", "product-4"]
        assert await store.versions_of(ORG, asked) == {"product-1": 3, "product-2": 1}

    async def test_positions_grow_over_the_whole_store(self, store: EventStore) -> None:
        for number in range(4):
            await store.append((ORG, OTHER)[number % 2], append(f"product-{number}", events=2))
        positions = [found.position for found in await everything(store)]
        assert positions == sorted(set(positions))
        assert len(positions) == 8

    async def test_a_repeated_key_stores_nothing_and_tells_what_was_answered(self, store: EventStore) -> None:
        first = await store.append(ORG, append(events=2, idempotency=key()))
        assert isinstance(first, Appended)
        again = await store.append(ORG, append("product-2", idempotency=key(asked=b"something else")))
        assert again == Replayed(b"asked", b'{"said":"\xc3\xa9"}\x00\xff', 2, first.position)
        assert await store.answered(ORG, "order-1") == again
        assert await store.streams_of(ORG, "product") == ["product-1"]

    async def test_a_repeated_key_is_recognised_after_the_stream_has_moved(self, store: EventStore) -> None:
        first = await store.append(ORG, append(idempotency=key()))
        await store.append(ORG, append(expected=1))
        again = await store.append(ORG, append(idempotency=key()))
        assert isinstance(first, Appended)
        assert again == Replayed(key().fingerprint, key().response, 1, first.position)

    async def test_a_refused_command_leaves_its_key_free(self, store: EventStore) -> None:
        await store.append(ORG, append())
        assert await store.append(ORG, append(idempotency=key())) == VersionMoved(0, 1)
        assert await store.answered(ORG, "order-1") is None
        assert await store.append(ORG, append(expected=1, idempotency=key())) != VersionMoved(0, 1)
        assert await store.answered(ORG, "order-1") is not None

    async def test_keys_are_an_organisations_own(self, store: EventStore) -> None:
        await store.append(ORG, append(idempotency=key()))
        assert await store.answered(OTHER, "order-1") is None
        assert isinstance(await store.append(OTHER, append(idempotency=key())), Appended)

    async def test_a_command_without_events_is_answered_and_changes_nothing(self, store: EventStore) -> None:
        await store.append(ORG, append(events=2))
        nothing = append(expected=2, events=0, idempotency=key())
        assert await store.append(ORG, nothing) == Appended(2, 0)
        assert await store.append(ORG, nothing) == Replayed(key().fingerprint, key().response, 2, 0)
        assert await store.append(ORG, append(expected=1, events=0)) == VersionMoved(1, 2)
        assert len(await store.read_stream(ORG, "product-1")) == 2

    async def test_a_command_without_events_on_no_stream_makes_none(self, store: EventStore) -> None:
        assert await store.append(ORG, append(events=0, idempotency=key())) == Appended(0, 0)
        assert await store.streams_of(ORG, "product") == []
        assert isinstance(await store.append(ORG, append()), Appended)

    async def test_twenty_with_one_key_at_once_are_one(self, store: EventStore) -> None:
        outcomes = await asyncio.gather(*(store.append(ORG, append(idempotency=key())) for _ in range(20)))
        (first,) = appended(outcomes)
        assert outcomes.count(Replayed(key().fingerprint, key().response, 1, first.position)) == 19
        assert len(await store.read_stream(ORG, "product-1")) == 1

    async def test_twenty_with_one_key_on_twenty_streams_are_one(self, store: EventStore) -> None:
        outcomes = await asyncio.gather(
            *(store.append(ORG, append(f"product-{number}", idempotency=key())) for number in range(20))
        )
        assert len(appended(outcomes)) == 1
        assert len(await store.streams_of(ORG, "product")) == 1

    async def test_of_many_that_expect_one_version_one_is_stored(self, store: EventStore) -> None:
        outcomes = await asyncio.gather(*(store.append(ORG, append()) for _ in range(20)))
        assert len(appended(outcomes)) == 1
        assert outcomes.count(VersionMoved(0, 1)) == 19

    async def test_a_claimed_value_belongs_to_one_stream(self, store: EventStore) -> None:
        await store.append(ORG, append(claims=(SKU, Claim("sku", "btk-2"))))
        wanting = append("product-2", claims=(Claim("sku", "new"), SKU), idempotency=key())
        assert await store.append(ORG, wanting) == ClaimTaken(SKU, "product-1")
        assert await store.owner_of(
            ORG, [SKU, Claim("sku", "btk-2"), Claim("sku", "new"), Claim("ean", "btk-prg")]
        ) == {
            SKU: "product-1",
            Claim("sku", "btk-2"): "product-1",
        }
        assert await store.streams_of(ORG, "product") == ["product-1"]
        assert await store.answered(ORG, "order-1") is None
        assert isinstance(await store.append(OTHER, append("product-2", claims=(SKU,))), Appended)

    async def test_a_taken_claim_leaves_an_existing_stream_as_it_was(self, store: EventStore) -> None:
        await store.append(ORG, append(claims=(SKU,)))
        await store.append(ORG, append("product-2", events=3))
        assert isinstance(await store.append(ORG, append("product-2", 3, claims=(SKU,))), ClaimTaken)
        assert await store.append(ORG, append("product-2", 2)) == VersionMoved(2, 3)
        assert isinstance(await store.append(ORG, append("product-2", 3)), Appended)

    async def test_a_stream_may_claim_what_it_owns(self, store: EventStore) -> None:
        await store.append(ORG, append(claims=(SKU,)))
        assert isinstance(await store.append(ORG, append(expected=1, claims=(SKU,), releases=(SKU,))), Appended)
        assert await store.owner_of(ORG, [SKU]) == {SKU: "product-1"}

    async def test_a_released_value_is_free_again(self, store: EventStore) -> None:
        await store.append(ORG, append(claims=(SKU,)))
        await store.append(ORG, append("product-2", releases=(SKU,)))
        assert await store.owner_of(ORG, [SKU]) == {SKU: "product-1"}, "only its owner releases it"
        await store.append(ORG, append(expected=1, releases=(SKU,)))
        assert await store.owner_of(ORG, [SKU]) == {}
        assert isinstance(await store.append(ORG, append("product-2", 1, claims=(SKU,))), Appended)

    async def test_a_refused_command_releases_nothing(self, store: EventStore) -> None:
        await store.append(ORG, append(claims=(SKU,)))
        assert await store.append(ORG, append(expected=9, releases=(SKU,))) == VersionMoved(9, 1)
        assert await store.owner_of(ORG, [SKU]) == {SKU: "product-1"}

    async def test_of_many_that_claim_one_value_one_gets_it(self, store: EventStore) -> None:
        outcomes = await asyncio.gather(
            *(store.append(ORG, append(f"product-{number}", claims=(SKU,))) for number in range(20))
        )
        assert len(appended(outcomes)) == 1
        assert sum(isinstance(outcome, ClaimTaken) for outcome in outcomes) == 19
        assert len(await store.streams_of(ORG, "product")) == 1

    async def test_a_shop_belongs_to_one_organisation_and_nobody_else_learns_whose_it_is(
        self, store: EventStore
    ) -> None:
        assert isinstance(await store.append(ORG, append(claims=(SHOP,))), Appended)
        wanting = append("product-2", claims=(Claim("sku", "new"), SHOP), idempotency=key())
        assert await store.append(OTHER, wanting) == ClaimTaken(SHOP, "")
        assert await store.streams_of(OTHER, "product") == []
        assert await store.answered(OTHER, "order-1") is None
        assert await store.owner_of(OTHER, [SHOP, Claim("sku", "new")]) == {}
        assert await store.append(ORG, wanting) == ClaimTaken(SHOP, "product-1")

    async def test_of_many_organisations_that_claim_a_shop_one_gets_it_and_what_came_along_is_stored(
        self, store: EventStore
    ) -> None:
        wanted = [
            store.append(f"toko-{number % 4}", append(f"product-{number}", claims=(SHOP,))) for number in range(12)
        ]
        beside = [store.append(f"toko-{number}", append("product-beside")) for number in range(4)]
        outcomes, others = await asyncio.gather(asyncio.gather(*wanted), asyncio.gather(*beside))
        assert len(appended(others)) == 4
        winner = next(number for number, outcome in enumerate(outcomes) if isinstance(outcome, Appended))
        for number, outcome in enumerate(outcomes):
            if number != winner:
                assert outcome == ClaimTaken(SHOP, f"product-{winner}" if number % 4 == winner % 4 else "")

    async def test_an_event_that_kafka_would_refuse_is_refused_before(self, store: EventStore) -> None:
        large = b'"' + b"x" * (MAX_EVENT_BYTES - 2) + b'"'
        assert isinstance(await store.append(ORG, append(new=(event(data=large),))), Appended)
        with pytest.raises(EventTooLarge, match=r"product\.renamed of product-2 has 524289 bytes; at most 524288"):
            await store.append(ORG, append("product-2", new=(event(data=large + b" "),)))
        with pytest.raises(EventTooLarge):
            await store.append_many(ORG, [append("product-3"), append("product-2", new=(event(data=large + b" "),))])
        assert await store.streams_of(ORG, "product") == ["product-1"]

    async def test_many_appends_have_an_outcome_each_in_order(self, store: EventStore) -> None:
        await store.append(ORG, append("product-5", claims=(SKU,), idempotency=key()))
        outcomes = await store.append_many(
            ORG,
            [
                append("product-9", events=2),
                append("product-5"),
                append("product-7", claims=(SKU,)),
                append("product-6", idempotency=key()),
                append("product-1", events=3, claims=(Claim("sku", "free"),), idempotency=key("order-2")),
                append("product-2", events=0),
            ],
        )
        assert outcomes[1] == VersionMoved(0, 1)
        assert outcomes[2] == ClaimTaken(SKU, "product-5")
        assert isinstance(outcomes[3], Replayed)
        assert [getattr(outcomes[place], "version", None) for place in (0, 4, 5)] == [2, 3, 0]
        assert await store.streams_of(ORG, "product") == ["product-1", "product-5", "product-9"]
        assert await store.owner_of(ORG, [Claim("sku", "free")]) == {Claim("sku", "free"): "product-1"}

    async def test_many_appends_may_contend_with_each_other(self, store: EventStore) -> None:
        appends = [append(f"product-{n}", claims=(SKU,)) for n in range(3)]
        appends += [append(f"stock-{n}", idempotency=key()) for n in range(3)]
        outcomes = await store.append_many(ORG, appends)
        assert isinstance(outcomes[0], Appended)
        assert outcomes[1:3] == [ClaimTaken(SKU, "product-0")] * 2
        assert isinstance(outcomes[3], Appended)
        assert all(isinstance(outcome, Replayed) for outcome in outcomes[4:])

    async def test_many_appends_take_each_stream_once(self, store: EventStore) -> None:
        with pytest.raises(ValueError, match="each stream once"):
            await store.append_many(ORG, [append(), append(expected=1)])
        assert await store.append_many(ORG, []) == []
        assert await everything(store) == []

    async def test_thousands_of_appends_go_in_at_once(self, store: EventStore) -> None:
        appends = [append(f"product-{number:05}", events=1 + number % 3) for number in range(2500)]
        outcomes = await store.append_many(ORG, appends)
        assert [outcome.version for outcome in appended(outcomes)] == [1 + number % 3 for number in range(2500)]
        found = await everything(store)
        assert len(found) == sum(len(each.events) for each in appends)
        assert len({each.event_id for each in found}) == len(found)

    async def test_a_stream_is_read_from_behind_a_version(self, store: EventStore) -> None:
        await store.append(ORG, append(events=5))
        assert [found.version for found in await store.read_stream(ORG, "product-1", after=3)] == [4, 5]
        assert await store.read_stream(ORG, "product-1", after=5) == []
        assert await store.read_stream(ORG, "product-0") == []
        assert await store.read_stream(OTHER, "product-1") == []

    async def test_a_stream_is_read_as_of_either_clock(self, store: EventStore) -> None:
        # The second came to our notice last but happened first: a count of stock that was handed in late.
        for number, minutes in ((0, 10), (1, 5), (2, 20)):
            moment = T0 + timedelta(minutes=minutes)
            await store.append(ORG, append(expected=number, new=(event(number, occurred_at=moment),)))
        all_of_it = await store.read_stream(ORG, "product-1")

        async def versions(**bound: Any) -> list[int]:
            return [found.version for found in await store.read_stream(ORG, "product-1", as_of=AsOf(**bound))]

        assert await versions(occurred_at=T0 + timedelta(minutes=7)) == [2]
        assert await versions(occurred_at=T0 + timedelta(minutes=10)) == [1, 2]
        assert await versions(occurred_at=T0) == []
        assert await versions(recorded_at=all_of_it[1].recorded_at) == [1, 2]
        assert await versions(recorded_at=all_of_it[0].recorded_at - timedelta(microseconds=1)) == []
        assert await versions(position=all_of_it[1].position) == [1, 2]
        assert await versions(version=1) == [1]
        assert await versions(version=2, occurred_at=T0 + timedelta(minutes=7)) == [2]
        assert await versions() == [1, 2, 3]

    async def test_several_streams_are_read_at_once(self, store: EventStore) -> None:
        for stream in ("product-1", "stock-1", "listing-1"):
            await store.append(ORG, append(stream, events=2))
        found = await store.read_streams(ORG, ["stock-1", "product-1", "product-none"])
        assert {stream: [each.version for each in events] for stream, events in found.items()} == {
            "product-1": [1, 2],
            "stock-1": [1, 2],
        }
        assert await store.read_streams(ORG, ["stock-1", "stock-1"]) == {"stock-1": found["stock-1"]}
        assert await store.read_streams(OTHER, ["stock-1"]) == {}
        assert await store.read_streams(ORG, []) == {}

    async def test_of_several_streams_only_what_is_not_known_is_read(self, store: EventStore) -> None:
        for stream in ("product-1", "stock-1", "listing-1"):
            await store.append(ORG, append(stream, events=3))
        known = {"product-1": 2, "listing-1": 3, "product-none": 7, "stock-2": 1}
        found = await store.read_streams(ORG, ["product-1", "stock-1", "listing-1", "product-none"], after=known)
        assert {stream: [each.version for each in events] for stream, events in found.items()} == {
            "product-1": [3],
            "stock-1": [1, 2, 3],
        }

    async def test_streams_of_a_category_come_in_pages(self, store: EventStore) -> None:
        names = [f"product-{number}" for number in "13579"]
        await store.append_many(ORG, [append(name) for name in [*names, "listing-1", "productline-1", "stock-1"]])
        await store.append(OTHER, append("product-2"))
        first = await store.streams_of(ORG, "product", limit=3)
        assert [*first, *await store.streams_of(ORG, "product", after=first[-1], limit=3)] == names
        assert await store.streams_of(ORG, "product", after="product-9") == []
        assert await store.streams_of(ORG, "stock", after="a") == ["stock-1"]
        assert await store.streams_of(ORG, "connection") == []

    async def test_everything_is_read_in_order_and_continued(self, store: EventStore) -> None:
        for number in range(12):
            await store.append((ORG, OTHER)[number % 2], append(f"product-{number % 3}", number // 6))
        first = [batch async for batch in store.read_all(limit=5)]
        assert sum(len(batch.events) for batch in first) == 5
        rest = await everything(store, first[-1].token)
        found = [each for batch in first for each in batch.events] + rest
        assert [each.position for each in found] == sorted(each.position for each in found)
        assert len({each.event_id for each in found}) == 12

    async def test_reading_on_finds_only_what_is_new(self, store: EventStore) -> None:
        assert [batch async for batch in store.read_all()] == []
        await store.append(ORG, append())
        token = [batch async for batch in store.read_all()][-1].token
        assert await everything(store, token) == []
        await store.append(ORG, append(expected=1))
        assert [found.version for found in await everything(store, token)] == [2]

    async def test_a_damaged_token_is_refused(self, store: EventStore) -> None:
        for token in ("x", "1|2|3", "a|b|c|d"):
            with pytest.raises(TokenRefused, match="start without one"):
                await everything(store, token)

    @given(plan=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))))
    @settings(
        max_examples=12,
        deadline=None,
        # Each example has an organisation of its own, and each subclass a store: sharing the rest does no harm.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    async def test_whatever_is_asked_streams_have_no_gaps_and_keys_one_answer(
        self, store: EventStore, plan: list[tuple[int, int, int, int]]
    ) -> None:
        org = f"toko-{uuid4()}"

        async def ask(stream: int, expected: int, once: int, claimed: int) -> Outcome:
            return await store.append(
                org,
                append(
                    f"product-{stream}",
                    expected,
                    idempotency=key(f"key-{once}") if once else None,
                    claims=(Claim("sku", str(claimed)),) if claimed else (),
                ),
            )

        outcomes = await asyncio.gather(*(ask(*each) for each in plan))
        streams = await store.read_streams(org, [f"product-{number}" for number in range(4)])
        for events in streams.values():
            assert [found.version for found in events] == list(range(1, len(events) + 1))
        assert sum(len(events) for events in streams.values()) == len(appended(outcomes))
        for once in range(1, 5):
            stored = [o for o, each in zip(outcomes, plan, strict=True) if each[2] == once and isinstance(o, Appended)]
            assert len(stored) <= 1
            assert (await store.answered(org, f"key-{once}") is not None) == bool(stored)
