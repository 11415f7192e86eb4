"""A catalogue file into the catalogue: what each row comes to, and that the second time nothing happens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import ProductRows, group_products
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.messages import Append, Outcome
from domain.product.commands import ArchiveProduct, ChangeProduct
from domain.product.state import Product
from services.usecases.import_stock import ImportPlan, StockMode
from services.usecases.imports import RowOutcome, Tally, import_products
from services.usecases.products import Products
from services.usecases.stock import Stock
from tests.support.event_store import ORG, Counting, CountingEventStore, context

JKT = ImportPlan(warehouse="JKT")
HEAD = "sku,product_sku,name,base_price,option_1_name,option_1_value,stock,category"
FILE = f"""{HEAD}
BTK-M,BTK,Kemeja Batik,189000,Ukuran,M,30,Fashion
BTK-L,BTK,Kemeja Batik,199000,Ukuran,L,3,Fashion
KOPI,,Kopi Gayo,85000,,,11,Kopi
"""


class Shelf:
    """One organisation's catalogue, over one store."""

    def __init__(self) -> None:
        self.store = CountingEventStore()
        self.identities = Counting()
        self.products = Products(self.store, self.identities)
        self.stock = Stock(self.store, self.identities, self.products)
        self.told: list[RowOutcome | RowRejected] = []

    async def load(self, text: str, plan: ImportPlan = JKT, batch: int = 7) -> Tally:
        self.told = []
        return await import_products(
            rows_of(text),
            plan,
            store=self.store,
            identities=self.identities,
            context=context(batch=batch, seconds=batch),
            on_outcome=self.told.append,
        )

    async def product(self, sku: str) -> Product:
        return (await self.products.get(ORG, await self.products.by_sku(ORG, sku)))[1]

    async def on_hand(self, sku: str) -> int:
        return await self.stock.on_hand(ORG, sku, "JKT")

    def outcomes(self) -> dict[str, str]:
        return {one.sku: one.outcome.value for one in self.told if isinstance(one, RowOutcome)}

    def changes(self, sku: str) -> tuple[str, ...]:
        return next(one.changes for one in self.told if isinstance(one, RowOutcome) and one.sku == sku)


def rows_of(text: str) -> Iterator[ProductRows | RowRejected]:
    read = list(CatalogueFile(text.encode().splitlines(keepends=True)))
    yield from (row for row in read if isinstance(row, RowRejected))
    yield from group_products(row for row in read if isinstance(row, CatalogueRow))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_a_file_becomes_products_and_stock_under_its_batch(shelf: Shelf) -> None:
    tally = await shelf.load(FILE)
    assert (tally.created, tally.products, tally.processed, tally.rejected) == (3, 2, 3, 0)
    batik = await shelf.product("BTK-L")
    assert (batik.sku, batik.base_price) == ("BTK", 189_000)
    assert [(v.sku, v.base_price) for v in batik.variants] == [("BTK-M", None), ("BTK-L", 199_000)]
    assert [await shelf.on_hand(sku) for sku in ("BTK-M", "BTK-L", "KOPI")] == [30, 3, 11]
    assert tally.events == len(shelf.store.types()) == 5
    assert {event.batch_id and event.batch_id.int for event in shelf.store.events} == {7}


async def test_the_same_file_again_changes_nothing(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load(FILE, batch=8)
    assert (tally.unchanged, tally.events) == (3, 0)
    assert len(shelf.store.types()) == 5


async def test_a_preview_tells_the_same_and_stores_nothing(shelf: Shelf) -> None:
    tally = await shelf.load(FILE, ImportPlan(warehouse="JKT", preview=True))
    assert (tally.created, tally.events) == (3, 5)
    assert shelf.store.types() == []
    assert (await shelf.load(FILE)).created == 3


async def test_only_what_differs_is_changed_and_blanks_keep_what_is(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load(f"{HEAD}\nKOPI,,,90000,,,,\nBTK-L,BTK,,199000,,,5,\n", batch=8)
    assert (tally.updated, tally.unchanged, tally.rejected) == (2, 0, 0)
    assert shelf.outcomes() == {"KOPI": "updated", "BTK": "updated"}
    assert (shelf.changes("KOPI"), shelf.changes("BTK")) == (("base_price",), ("stock:BTK-L",))
    kopi = await shelf.product("KOPI")
    assert (kopi.name, kopi.base_price, kopi.category) == ("Kopi Gayo", 90_000, "Kopi")
    assert [await shelf.on_hand(sku) for sku in ("BTK-M", "BTK-L", "KOPI")] == [30, 5, 11]


async def test_variants_that_a_file_does_not_name_stay(shelf: Shelf) -> None:
    await shelf.load(FILE)
    await shelf.load(f"{HEAD}\nBTK-XL,BTK,,209000,Ukuran,XL,4,\n", batch=8)
    batik = await shelf.product("BTK")
    assert batik.base_price == 189_000
    assert {v.sku: batik.price_of(v) for v in batik.variants} == {
        "BTK-M": 189_000,
        "BTK-L": 199_000,
        "BTK-XL": 209_000,
    }


async def test_a_price_for_all_variants_moves_the_product(shelf: Shelf) -> None:
    await shelf.load(FILE)
    await shelf.load(f"{HEAD}\nBTK-M,BTK,,195000,Ukuran,M,,\nBTK-L,BTK,,205000,Ukuran,L,,\n", batch=8)
    batik = await shelf.product("BTK")
    assert batik.base_price == 195_000
    assert [v.base_price for v in batik.variants] == [None, 205_000]


async def test_a_price_list_may_name_variants_alone(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load("sku,name,base_price,stock\nBTK-M,,191000,1\nBTK-L,,201000,2\n", batch=8)
    assert (tally.updated, tally.rejected) == (2, 0)
    batik = await shelf.product("BTK")
    assert [batik.price_of(v) for v in batik.variants] == [191_000, 201_000]
    assert [await shelf.on_hand(sku) for sku in ("BTK-M", "BTK-L")] == [1, 2]


async def test_a_variant_is_not_renamed_as_if_it_were_a_product(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load("sku,name,base_price\nBTK-M,Another shirt,191000\n", batch=8)
    assert [r.code for r in tally.rejections] == ["sku_is_variant"]


async def test_a_sku_of_another_product_is_rejected_and_the_rest_goes_on(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load(f"{HEAD}\nKOPI,NEW,New,1000,Ukuran,M,1,\nTEH,,Teh,5000,,,2,\n", batch=8)
    assert [(r.line, r.code) for r in tally.rejections] == [(2, "sku_taken")]
    assert tally.created == 1


async def test_rows_that_cannot_be_read_are_counted_as_rejected(shelf: Shelf) -> None:
    tally = await shelf.load(f'{HEAD}\n1E+05,,Kopi,1000,,,1,\nTEH,,Teh,"189,50",,,2,\nKOPI,,Kopi,5000,,,1,\n')
    assert (tally.rejected, tally.created, tally.processed) == (2, 1, 3)


async def test_a_new_product_without_a_name_is_rejected(shelf: Shelf) -> None:
    tally = await shelf.load(f"{HEAD}\nKOPI,,,5000,,,1,\n")
    assert tally.rejected == 1
    assert shelf.store.types() == []


async def test_an_archived_product_is_left_alone_with_a_reason(shelf: Shelf) -> None:
    await shelf.load(FILE)
    kopi = await shelf.product("KOPI")
    await shelf.products.handle(context(), kopi.product_id, ArchiveProduct())
    tally = await shelf.load(f"{HEAD}\nKOPI,,Kopi,5000,,,99,\n", batch=8)
    assert [r.code for r in tally.rejections] == ["product_archived"]
    assert await shelf.on_hand("KOPI") == 11


async def test_stock_of_a_product_that_is_sold_by_its_variants_is_rejected(shelf: Shelf) -> None:
    await shelf.load(FILE)
    tally = await shelf.load(f"{HEAD}\nBTK,,Kemeja Batik,189000,,,50,\n", batch=8)
    assert [(r.code, r.column) for r in tally.rejections] == [("variant_unknown", "stock")]
    assert tally.processed == 1


async def test_added_stock_is_added_once_for_a_batch(shelf: Shelf) -> None:
    add = ImportPlan(warehouse="JKT", stock_mode=StockMode.ADD)
    await shelf.load(FILE, add)
    assert (await shelf.load(FILE, add)).unchanged == 3
    assert await shelf.on_hand("KOPI") == 11
    await shelf.load(FILE, add, batch=8)
    assert await shelf.on_hand("KOPI") == 22


async def test_stock_is_not_added_without_a_batch(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="batch"):
        await import_products(
            rows_of(FILE),
            ImportPlan(warehouse="JKT", stock_mode=StockMode.ADD),
            store=shelf.store,
            identities=shelf.identities,
            context=context(),
        )


async def test_an_import_that_is_overtaken_decides_again(shelf: Shelf) -> None:
    await shelf.load(FILE)
    kopi = await shelf.product("KOPI")

    async def rename() -> None:
        await shelf.products.handle(context("budi"), kopi.product_id, ChangeProduct(name="Kopi Arabika Gayo"))

    class Overtaken(CountingEventStore):
        done = False

        async def append_many(self, org_id: str, appends: Sequence[Append]) -> Sequence[Outcome]:
            if not self.done:
                self.done = True
                await rename()
            return await super().append_many(org_id, appends)

    overtaken = Overtaken(shelf.store)
    tally = await import_products(
        rows_of(f"{HEAD}\nKOPI,,,90000,,,,\n"),
        JKT,
        store=overtaken,
        identities=shelf.identities,
        context=context(batch=9),
    )
    assert tally.updated == 1
    after = await shelf.product("KOPI")
    assert (after.name, after.base_price) == ("Kopi Arabika Gayo", 90_000)


async def test_progress_is_told_and_many_products_take_few_round_trips(shelf: Shelf) -> None:
    text = "\n".join(["sku,name,base_price,stock", *(f"SKU-{n},Produk {n},1000,{n}" for n in range(650))]) + "\n"
    steps: list[int] = []
    tally = await import_products(
        rows_of(text),
        JKT,
        store=shelf.store,
        identities=shelf.identities,
        context=context(batch=1),
        progress=lambda so_far: steps.append(so_far.processed),
    )
    assert steps == [300, 600, 650]
    assert tally.created == 650
    assert shelf.store.reads <= 3 * 2


async def test_a_file_in_another_case_speaks_of_the_same_skus(shelf: Shelf) -> None:
    await shelf.load(FILE)
    before = await shelf.product("BTK")
    head, *rows = FILE.splitlines()
    lower = [",".join([*(cell.lower() for cell in row.split(",")[:2]), *row.split(",")[2:]]) for row in rows]
    await shelf.load("\n".join([head, *lower, ""]), batch=8)
    assert set(shelf.outcomes().values()) == {"unchanged"}
    assert await shelf.product("btk-l") == before
    assert (await shelf.on_hand("btk-m"), await shelf.on_hand("kopi")) == (30, 11)
