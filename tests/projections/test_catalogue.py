import asyncio
import uuid

import pytest

from domain.values import ProductStatus
from projections.catalogue.reader import CatalogueFilter, list_products
from projections.reading import InvalidCursor
from tests.projections.stage import ORG, Stage, created

NAMES = (
    "Kemeja Batik Pria Lengan Panjang",
    "Kemeja Batik Wanita",
    "Sambal Bawang Pedas 200 g",
    "Kopi Gayo Arabika",
    "Kerudung Segi Empat",
    "Sepatu Kulit",
)


async def stock(stage: Stage, names: tuple[str, ...] = NAMES) -> None:
    for number, name in enumerate(names):
        product = str(uuid.uuid4())
        sku = f"BTK-{number:03d}"
        await stage.store(
            f"product-{product}", created(product, name, sku=sku, category="Fashion", base_price=1000 * (number + 1))
        )
    await stage.build()


async def found(stage: Stage, search: str) -> list[str]:
    page = await list_products(stage.app, ORG, CatalogueFilter(search=search))
    return [entry.name for entry in page.items]


async def test_search_finds_by_beginning_by_word_and_by_slip_of_the_finger(stage: Stage) -> None:
    await stock(stage)
    assert set(await found(stage, "kem bat")) == set(NAMES[:2])
    assert set(await found(stage, "KEMEJA")) == set(NAMES[:2])
    assert set(await found(stage, "batik")) == set(NAMES[:2])
    assert set(await found(stage, "kemja batik")) == set(NAMES[:2])
    assert await found(stage, "sambal bawng") == [NAMES[2]]
    assert await found(stage, "krudung") == [NAMES[4]]
    assert await found(stage, "btk-004") == [NAMES[4]]
    assert await found(stage, "mesin cuci") == []
    assert await found(stage, "100%_'; --") == []


async def test_the_best_fit_comes_first(stage: Stage) -> None:
    await stock(stage, ("Tas Kopi", "Kopi Gayo Arabika", "Kopi"))
    assert await found(stage, "kopi") == ["Kopi", "Kopi Gayo Arabika", "Tas Kopi"]


async def test_filters_hold_together(stage: Stage) -> None:
    await stock(stage)
    wanted = CatalogueFilter(category="Fashion", price_from=2000, price_to=4000, search="k")
    page = await list_products(stage.app, ORG, wanted)
    assert {entry.name for entry in page.items} == {NAMES[1], NAMES[3]}
    archived = await list_products(stage.app, ORG, CatalogueFilter(statuses=(ProductStatus.ARCHIVED,)))
    assert archived.items == ()
    assert (await list_products(stage.app, ORG, CatalogueFilter(tags=("batik",)))).items == ()


async def test_pages_show_each_product_once_while_others_are_written(stage: Stage) -> None:
    names = tuple(f"Produk {number:03d}" for number in range(60))
    await stock(stage, names)
    busy = True

    async def write() -> None:
        while busy:
            product = str(uuid.uuid4())
            await stage.tell(f"product-{product}", created(product, "Baru"))

    async with stage.running():
        writing = asyncio.create_task(write())
        seen: list[str] = []
        cursor = None
        while True:
            page = await list_products(stage.app, ORG, limit=7, cursor=cursor)
            seen += [entry.name for entry in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        busy = False
        await writing
    old = [name for name in seen if name != "Baru"]
    assert old == sorted(names, reverse=True)


async def test_a_search_goes_on_over_pages_without_repeating(stage: Stage) -> None:
    await stock(stage, tuple(f"Kemeja {number}" for number in range(10)))
    wanted = CatalogueFilter(search="kemeja")
    first = await list_products(stage.app, ORG, wanted, limit=6)
    second = await list_products(stage.app, ORG, wanted, limit=6, cursor=first.next_cursor)
    assert len({entry.name for entry in (*first.items, *second.items)}) == 10
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "WyJhIl0", "🐟"])
async def test_a_cursor_of_somewhere_else_is_refused(stage: Stage, cursor: str) -> None:
    await stock(stage, ())
    if cursor:
        with pytest.raises(InvalidCursor):
            await list_products(stage.app, ORG, cursor=cursor)
    else:
        assert (await list_products(stage.app, ORG, cursor=cursor)).items == ()
