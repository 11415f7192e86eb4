import asyncio
import uuid
from collections.abc import Callable

import pytest

from domain.values import ProductStatus
from projections.catalogue.reader import CatalogueEntry, CatalogueFilter, Sort, list_products
from projections.reading import InvalidCursor, cursor_of, marks_of
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


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (Sort.NEWEST, lambda entry: (-entry.created_position,)),
        (Sort.UPDATED, lambda entry: (-entry.updated_at.timestamp(), -entry.created_position)),
        (Sort.NAME, lambda entry: (entry.name.lower(), -entry.created_position)),
        (Sort.PRICE, lambda entry: (entry.base_price, -entry.created_position)),
        (Sort.DEAREST, lambda entry: (-entry.base_price, -entry.created_position)),
        (Sort.SKU, lambda entry: (entry.sku.lower(),)),
    ],
)
@pytest.mark.parametrize("search", ["", "produk"])
async def test_pages_go_on_in_the_order_that_was_asked_for(
    stage: Stage, sort: Sort, key: Callable[[CatalogueEntry], tuple[object, ...]], search: str
) -> None:
    for number in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5):
        product = str(uuid.uuid4())
        sku = f"{'sku' if number % 2 else 'SKU'}-{product}"
        fact = created(product, f"Produk {number}", sku=sku, base_price=1000 * number)
        await stage.store(f"product-{product}", fact)
    await stage.build()
    wanted = CatalogueFilter(search=search)
    whole = await list_products(stage.app, ORG, wanted, sort=sort, limit=50)
    assert len(whole.items) == 11
    assert list(whole.items) == sorted(whole.items, key=key)
    walked: list[CatalogueEntry] = []
    cursor = None
    while True:
        page = await list_products(stage.app, ORG, wanted, sort=sort, limit=3, cursor=cursor)
        walked += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [entry.product_id for entry in walked] == [entry.product_id for entry in whole.items]


async def test_a_cursor_goes_on_with_its_own_order_and_filters_alone(stage: Stage) -> None:
    await stock(stage)
    cursor = (await list_products(stage.app, ORG, sort=Sort.PRICE, limit=2)).next_cursor
    assert cursor is not None
    assert len((await list_products(stage.app, ORG, sort=Sort.PRICE, limit=9, cursor=cursor)).items) == 4
    for wanted, sort in (
        (CatalogueFilter(), Sort.DEAREST),
        (CatalogueFilter(), None),
        (CatalogueFilter(category="Fashion"), Sort.PRICE),
        (CatalogueFilter(search="kopi"), Sort.PRICE),
    ):
        with pytest.raises(InvalidCursor):
            await list_products(stage.app, ORG, wanted, sort=sort, cursor=cursor)
    _, asked, mark, before = marks_of(cursor, tuple[str, str, str, int])
    for forged in (cursor_of("price", asked, "cheap", before), cursor_of("price", asked, mark, 2**70)):
        with pytest.raises(InvalidCursor):
            await list_products(stage.app, ORG, sort=Sort.PRICE, cursor=forged)


async def test_only_a_search_is_sorted_by_relevance(stage: Stage) -> None:
    await stock(stage, ())
    with pytest.raises(ValueError, match="only in a search"):
        await list_products(stage.app, ORG, sort=Sort.RELEVANCE)


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "WyJhIl0", "🐟"])
async def test_a_cursor_of_somewhere_else_is_refused(stage: Stage, cursor: str) -> None:
    await stock(stage, ())
    if cursor:
        with pytest.raises(InvalidCursor):
            await list_products(stage.app, ORG, cursor=cursor)
    else:
        assert (await list_products(stage.app, ORG, cursor=cursor)).items == ()
