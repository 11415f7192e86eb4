import asyncio
import uuid
from itertools import pairwise

import pytest

from domain.product.events import BasePriceChanged, ProductRenamed
from projections import tables
from projections.catalogue.projector import CATALOGUE
from projections.catalogue.reader import CatalogueFilter, list_products, read_product
from projections.history.reader import list_history
from projections.reading import wait_until
from projections.registry import VIEWS
from projections.verify import verify
from tests.projections.stage import ORG, Stage, created


async def test_what_is_told_appears_in_the_views_and_can_be_waited_for(stage: Stage) -> None:
    await stage.build()
    product = str(uuid.uuid4())
    async with stage.running():
        await stage.tell(f"product-{product}", created(product, "Kemeja Batik Pria"))
        position = await stage.tell(f"product-{product}", BasePriceChanged(old=195_000, new=210_000))
        assert await wait_until(stage.app, ORG, f"product-{product}", position, patience=20)
        answer = await read_product(stage.app, ORG, product)
        history = await list_history(stage.app, ORG, product)
        assert not await wait_until(stage.app, ORG, f"product-{product}", position + 1, patience=0.05)
    assert answer.found is not None
    assert (answer.found.name, answer.found.base_price, answer.found.version) == ("Kemeja Batik Pria", 210_000, 2)
    assert answer.freshness.position == position
    assert [entry.type for entry in history.items] == ["product.base-price-changed", "product.created"]
    assert [(c.field, c.old, c.new) for c in history.items[0].changes] == [("base_price", 195_000, 210_000)]


async def test_nobody_sees_the_rows_of_another_organisation(stage: Stage) -> None:
    await stage.build()
    product = str(uuid.uuid4())
    async with stage.running():
        position = await stage.tell(f"product-{product}", created(product, "Sambal Bawang"))
        assert await wait_until(stage.app, ORG, f"product-{product}", position, patience=20)
    assert (await read_product(stage.app, ORG, product)).found is not None
    assert (await read_product(stage.app, "toko-lain", product)).found is None
    assert (await list_products(stage.app, "toko-lain", CatalogueFilter(search="sambal"))).items == ()
    async with stage.app.connection() as connection, connection.transaction():
        await connection.execute("select set_config('syncstore.org', 'toko-lain', true)")
        for view in VIEWS:
            cursor = await connection.execute(f"select count(*) from projections.{view.name} where org_id = %s", [ORG])
            assert await cursor.fetchone() == (0,)


async def test_several_members_share_the_work_through_rebalances_and_lose_nothing(stage: Stage) -> None:
    await stage.build()
    products = [str(uuid.uuid4()) for _ in range(30)]
    names = [f"Produk {number}" for number in range(8)]

    async def write() -> None:
        for product in products:
            await stage.tell(f"product-{product}", created(product, names[0]))
        for old, new in pairwise(names):
            for product in products:
                await stage.tell(f"product-{product}", ProductRenamed(old=old, new=new))

    writing = asyncio.create_task(write())
    async with stage.running():
        async with stage.running(2):
            await asyncio.sleep(0)
            while not writing.done():
                async with stage.running():
                    await asyncio.wait([writing], timeout=1)
        await writing
        for product in products:
            last = (await stage.rows("select max(position) from events where stream_id = %s", f"product-{product}"))[0][
                0
            ]
            assert await wait_until(stage.app, ORG, f"product-{product}", last, patience=30)
    for view in VIEWS:
        found = await verify(view, stage.source)
        assert found.is_sound
        assert found.behind == 0
    assert await stage.rows("select count(*) from projections.history") == [(30 * 8,)]


async def test_a_backlog_is_applied_as_single_events_are(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "COPIED_FROM", 2)
    await stage.build()
    products = [str(uuid.uuid4()) for _ in range(20)]
    for product in products:
        await stage.tell(f"product-{product}", created(product, "Teh"), ProductRenamed(old="Teh", new="Teh Hijau"))
    async with stage.running():
        for price in (5_000, 6_000):
            facts = [
                fact
                for product in products
                for fact in await stage.store(f"product-{product}", BasePriceChanged(old=195_000, new=price))
            ]
            await stage.publish(facts)
            for fact in facts:
                assert await wait_until(stage.app, ORG, fact.stream_id, fact.position, patience=20)
    found = await verify(CATALOGUE, stage.source)
    assert found.is_sound
    assert found.behind == 0
    assert await stage.rows("select distinct name, base_price, version from projections.catalogue") == [
        ("Teh Hijau", 6_000, 4)
    ]


async def test_events_that_kafka_lost_are_read_from_the_event_store(stage: Stage) -> None:
    await stage.build()
    product = str(uuid.uuid4())
    await stage.store(f"product-{product}", created(product, "Kopi Gayo"), ProductRenamed(old="Kopi Gayo", new="Kopi"))
    async with stage.running():
        position = await stage.tell(f"product-{product}", BasePriceChanged(old=195_000, new=90_000))
        assert await wait_until(stage.app, ORG, f"product-{product}", position, patience=20)
    found = (await read_product(stage.app, ORG, product)).found
    assert found is not None
    assert (found.name, found.base_price, found.version) == ("Kopi", 90_000, 3)


async def test_what_comes_again_changes_nothing(stage: Stage) -> None:
    await stage.build()
    product = str(uuid.uuid4())
    facts = await stage.store(f"product-{product}", created(product, "Teh"), ProductRenamed(old="Teh", new="Teh Hijau"))
    await stage.publish(facts)
    await stage.publish(facts[:1])
    marker = str(uuid.uuid4())
    async with stage.running():
        position = await stage.tell(f"product-{product}", BasePriceChanged(old=195_000, new=5_000))
        await stage.tell(f"product-{marker}", created(marker, "Penanda"))
        assert await wait_until(stage.app, ORG, f"product-{product}", position, patience=20)
    found = (await read_product(stage.app, ORG, product)).found
    assert found is not None
    assert (found.name, found.version) == ("Teh Hijau", 3)
    assert await stage.rows("select count(*) from projections.history where product_id = %s", product) == [(3,)]
