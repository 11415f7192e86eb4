"""One command: decided, stored once, decided again when overtaken, answered again when repeated."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from uuid import UUID

import pytest
from msgspec.structs import replace

from domain.connection.commands import OpenConnection
from domain.messages import Append, Outcome
from domain.product.commands import ArchiveProduct, ChangeProduct, CreateProduct, ReplaceVariants
from domain.product.decider import NoSuchProduct
from domain.product.state import Product
from domain.values import Option, Platform, Variant
from services.api.problems import render
from services.usecases.aggregates import DuplicateShop, DuplicateSku, ShopConnectedElsewhere
from services.usecases.conditions import Expected, Once
from services.usecases.connections import Connections
from services.usecases.outcome import Done, KeyReused, StaleVersion, TooBusy
from services.usecases.products import Products, UnknownSku
from services.usecases.repository import MAX_DECISIONS
from tests.support.event_store import ORG, Counting, CountingEventStore, context

CREATE = CreateProduct(product_id="p1", sku="BTK-PRG", name="Kemeja Batik", base_price=189_000)


@pytest.fixture
def store() -> CountingEventStore:
    return CountingEventStore()


@pytest.fixture
async def products(store: CountingEventStore) -> Products:
    made = Products(store, Counting())
    await made.handle(context(), "p1", CREATE)
    return made


def other(store: CountingEventStore) -> Products:
    """Another process, which remembers nothing."""
    return Products(store, Counting())


async def test_a_new_product_takes_one_round_trip(store: CountingEventStore) -> None:
    done = await Products(store, Counting()).handle(context(), "p1", CREATE)
    assert (done.version, done.position, store.reads, store.appends) == (1, 1, 0, 1)
    (event,) = store.events
    assert (event.actor, event.partition_key, event.type) == ("sari", "p1", "product.created")


async def test_a_remembered_product_is_changed_in_one_round_trip(products: Products, store: CountingEventStore) -> None:
    done = await products.handle(context(), "p1", ChangeProduct(base_price=199_000))
    assert (done.version, store.reads) == (2, 0)


async def test_nothing_is_stored_for_what_is_so_already(products: Products, store: CountingEventStore) -> None:
    done = await products.handle(context(), "p1", ChangeProduct(base_price=189_000))
    assert (done.version, done.position, done.events, store.appends) == (1, 0, (), 1)


async def test_what_is_unknown_is_refused_after_looking(store: CountingEventStore) -> None:
    with pytest.raises(NoSuchProduct):
        await Products(store, Counting()).handle(context(), "p1", ChangeProduct(name="x"))
    assert store.reads == 1


async def test_an_old_memory_refuses_nothing(products: Products, store: CountingEventStore) -> None:
    await other(store).handle(context(), "p1", ChangeProduct(base_price=200_000))
    done = await products.handle(context(), "p1", ChangeProduct(base_price=189_000))
    assert done.version == 3
    assert isinstance(done.state, Product)
    assert done.state.base_price == 189_000


async def test_a_command_that_is_overtaken_is_decided_again(products: Products, store: CountingEventStore) -> None:
    await other(store).handle(context(), "p1", ChangeProduct(name="Kemeja Batik Pria"))
    done = await products.handle(context(), "p1", ChangeProduct(base_price=199_000))
    assert done.version == 3
    assert isinstance(done.state, Product)
    assert (done.state.name, done.state.base_price) == ("Kemeja Batik Pria", 199_000)


async def test_a_stream_that_never_stands_still_is_given_up_on(products: Products, store: CountingEventStore) -> None:
    class Restless(CountingEventStore):
        moved = 0

        async def append(self, org_id: str, append: Append) -> Outcome:
            self.moved += 1
            await other(store).handle(context(), "p1", ChangeProduct(name=f"name {self.moved}"))
            return await super().append(org_id, append)

    restless = Restless(store)
    with pytest.raises(TooBusy):
        await Products(restless, Counting()).handle(context(), "p1", ChangeProduct(base_price=5))
    assert restless.moved == MAX_DECISIONS


class Slow(CountingEventStore):
    """Lets everybody else go on before it stores, and tells how many are at that point on any stream."""

    def __init__(self, inner: CountingEventStore) -> None:
        super().__init__(inner)
        self.under_way: Counter[str] = Counter()
        self.together: Counter[str] = Counter()

    async def append(self, org_id: str, append: Append) -> Outcome:
        stream = append.stream_id
        self.under_way[stream] += 1
        self.together[stream] = max(self.together[stream], self.under_way[stream])
        self.together["all"] = max(self.together["all"], self.under_way.total())
        for _ in range(50):
            await asyncio.sleep(0)
        outcome = await super().append(org_id, append)
        self.under_way[stream] -= 1
        return outcome


async def test_commands_on_one_stream_take_turns_and_all_of_them_are_done(store: CountingEventStore) -> None:
    slow = Slow(store)
    products = Products(slow, Counting())
    await asyncio.gather(
        *(products.handle(context(), f"p{n}", replace(CREATE, product_id=f"p{n}", sku=f"S{n}")) for n in range(2))
    )
    assert slow.together["all"] == 2, "streams do not wait for each other"
    done = await asyncio.gather(
        *(products.handle(context(), "p1", ChangeProduct(base_price=1_000 + n)) for n in range(20))
    )
    assert sorted(one.version for one in done) == list(range(2, 22))
    assert slow.together["product-p1"] == 1


async def test_of_those_who_insist_on_a_version_one_is_done_and_the_others_are_refused(
    store: CountingEventStore,
) -> None:
    slow = Slow(store)
    products = Products(slow, Counting())
    await products.handle(context(), "p1", CREATE)
    ended = await asyncio.gather(
        *(products.handle(context(), "p1", ChangeProduct(base_price=n), expected=Expected(1)) for n in range(1, 6)),
        return_exceptions=True,
    )
    assert [type(one) for one in ended if isinstance(one, Exception)] == [StaleVersion] * 4
    assert slow.together["product-p1"] == 5, "they did not wait for each other"


async def test_turns_are_forgotten_when_nobody_waits_for_one(products: Products) -> None:
    waiting = [asyncio.create_task(products.handle(context(), "p1", ChangeProduct(base_price=n))) for n in (1, 2, 3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    ended = [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)]
    assert ended == [Done, asyncio.CancelledError, Done]
    waiting.clear()
    await asyncio.sleep(0)  # the loop lets go of what it has just told
    gc.collect()
    assert not products._repository._turns  # growth cannot be seen from outside


async def test_a_stale_version_is_refused_with_what_was_changed_by_whom(
    products: Products, store: CountingEventStore
) -> None:
    await other(store).handle(context("budi"), "p1", ChangeProduct(base_price=200_000))
    with pytest.raises(StaleVersion) as refused:
        await products.handle(context(), "p1", ChangeProduct(name="x"), expected=Expected(1))
    assert refused.value.facts == {
        "expected_version": 1,
        "current_version": 2,
        "changed_fields": ["base_price"],
        "actor": "budi",
    }


async def test_changes_of_different_fields_merge_where_that_is_wanted(
    products: Products, store: CountingEventStore
) -> None:
    await other(store).handle(context("budi"), "p1", ChangeProduct(base_price=200_000))
    done = await products.handle(context(), "p1", ChangeProduct(name="x"), expected=Expected(1, merge=True))
    assert done.version == 3
    with pytest.raises(StaleVersion):
        await products.handle(context(), "p1", ChangeProduct(base_price=1), expected=Expected(1, merge=True))


async def test_a_version_that_only_another_process_has_seen_is_looked_up(
    products: Products, store: CountingEventStore
) -> None:
    await other(store).handle(context(), "p1", ChangeProduct(base_price=200_000))
    done = await products.handle(context(), "p1", ChangeProduct(name="x"), expected=Expected(2))
    assert done.version == 3


async def test_a_version_from_the_future_is_refused(products: Products) -> None:
    with pytest.raises(StaleVersion, match="1 is current"):
        await products.handle(context(), "p1", ChangeProduct(name="x"), expected=Expected(9))


async def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(
    products: Products, store: CountingEventStore
) -> None:
    once = Once("key-1", b"digest")

    async def ask(to: Products) -> tuple[int, int, bytes, bool]:
        done = await to.handle(
            context(),
            "p1",
            ChangeProduct(base_price=199_000),
            expected=Expected(1),
            once=once,
            respond=lambda version, _: f"v{version}".encode(),
        )
        return done.version, done.position, done.response, done.replayed

    assert await ask(products) == (2, 2, b"v2", False)
    assert await ask(products) == (2, 2, b"v2", True)  # although version 1 is no longer expected
    await products.handle(context(), "p1", ArchiveProduct())
    assert await ask(other(store)) == (2, 2, b"v2", True)  # although it would be refused now
    assert store.types() == ["product.created", "product.base-price-changed", "product.archived"]


async def test_a_request_that_changes_nothing_is_remembered_too(products: Products, store: CountingEventStore) -> None:
    once = Once("key-1", b"digest")
    first = await products.handle(context(), "p1", ChangeProduct(base_price=189_000), once=once)
    again = await products.handle(context(), "p1", ChangeProduct(base_price=189_000), once=once)
    assert (first.replayed, again.replayed, again.version) == (False, True, 1)
    assert store.types() == ["product.created"]


async def test_a_key_with_another_request_is_refused(products: Products) -> None:
    await products.handle(context(), "p1", ChangeProduct(base_price=1), once=Once("key-1", b"one"))
    with pytest.raises(KeyReused):
        await products.handle(context(), "p1", ChangeProduct(base_price=2), once=Once("key-1", b"two"))
    with pytest.raises(KeyReused):
        await products.handle(context(), "nobody", ChangeProduct(base_price=2), once=Once("key-1", b"two"))


async def test_a_sku_belongs_to_one_product_whatever_its_case(products: Products) -> None:
    with pytest.raises(DuplicateSku) as refused:
        await products.handle(context(), "p2", CreateProduct(product_id="p2", sku="btk-prg", name="x", base_price=1))
    assert refused.value.facts == {"sku": "btk-prg", "owner": "p1"}
    assert await products.by_sku(ORG, "Btk-Prg") == "p1"


async def test_the_sku_of_a_removed_variant_is_free_again(products: Products) -> None:
    variant = Variant(sku="BTK-L", options=(Option("Ukuran", "L"),))
    await products.handle(context(), "p1", ReplaceVariants(variants=(variant,)))
    assert await products.by_sku(ORG, "btk-l") == "p1"
    await products.handle(context(), "p1", ReplaceVariants(variants=()))
    with pytest.raises(UnknownSku):
        await products.by_sku(ORG, "BTK-L")


async def test_a_state_that_falls_out_of_memory_is_read_again(store: CountingEventStore) -> None:
    products = Products(store, Counting(), cached=1)
    await products.handle(context(), "p1", CREATE)
    await products.handle(context(), "p2", CreateProduct(product_id="p2", sku="B", name="x", base_price=1))
    version, product = await products.get(ORG, "p1")
    assert (version, product.sku) == (1, "BTK-PRG")


async def test_a_shop_is_connected_once(store: CountingEventStore) -> None:
    connections = Connections(store, Counting())
    shop = OpenConnection(connection_id="SHP-ID-01", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await connections.handle(context(), "SHP-ID-01", shop)
    again = OpenConnection(connection_id="SHP-ID-02", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    with pytest.raises(DuplicateShop, match="SHP-ID-01"):
        await connections.handle(context(), "SHP-ID-02", again)


async def test_a_shop_of_another_organisation_is_refused_without_telling_whose_it_is(
    store: CountingEventStore,
) -> None:
    connections = Connections(store, Counting())
    shop = OpenConnection(connection_id="SHP-ID-01", platform=Platform.SHOPEE, shop_id="77", label="Toko")
    await connections.handle(context(org_id="rahasia"), "SHP-ID-01", shop)
    with pytest.raises(ShopConnectedElsewhere) as refused:
        await connections.handle(context(), "SHP-ID-01", shop)
    assert refused.value.facts == {}
    assert "rahasia" not in str(refused.value)
    status, _, body = render(refused.value, UUID(int=1))
    assert (status, json.loads(body)["code"]) == (409, "shop_connected_elsewhere")


async def test_organisations_do_not_meet(products: Products) -> None:
    elsewhere = context(org_id="other")
    with pytest.raises(NoSuchProduct):
        await products.handle(elsewhere, "p1", ChangeProduct(name="x"))
    done = await products.handle(elsewhere, "p1", CREATE)
    assert done.version == 1


async def test_twenty_of_the_same_request_at_once_are_one_change_and_one_answer(
    products: Products, store: CountingEventStore
) -> None:
    async def ask(number: int) -> bytes:
        done = await products.handle(
            context(),
            "p1",
            ChangeProduct(base_price=199_000),
            once=Once("key-1", b"digest"),
            respond=lambda version, _: f"v{version} by {number}".encode(),
        )
        return done.response

    answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert len(set(answers)) == 1
    assert store.types() == ["product.created", "product.base-price-changed"]


async def test_many_at_once_on_one_product_all_take_effect(products: Products, store: CountingEventStore) -> None:
    tags = [f"tag {number}" for number in range(5)]
    await asyncio.gather(*(products.handle(context(), "p1", ChangeProduct(tags=(tag,))) for tag in tags))
    assert store.types().count("product.tagged") == 5
