"""Finding a product although a finger slipped, over the catalogue that is shipped and others where they are there."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest

from domain.catalogue_file.products import ProductRows
from infrastructure.postgres.pool import Pool
from projections.catalogue.reader import CatalogueEntry, CatalogueFilter, Sort, list_products
from projections.catalogue.words import beginnings, likely_slips, slips
from tests.projections.shelf import fill_catalogue, products_in
from tests.projections.stage import ORG

REPOSITORY = Path(__file__).parents[2]
SHIPPED = REPOSITORY / "deploy" / "demo" / "catalogue.csv"
OTHERS = REPOSITORY.parent / "shared" / "data"
FIRST = 10
RECALL = 0.9

TYPED = {
    # two letters in each other's place
    "smabal": "sambal", "sambla": "sambal", "kpoi": "kopi", "tehr": "teh", "dorne": "drone", "abtik": "batik",
    "bumub": "bumbu", "kemjea": "kemeja", "cobke": "cobek", "dodlo": "dodol",
    # one letter for another
    "batek": "batik", "kopu": "kopi", "sambel": "sambal", "vatik": "batik", "panco": "panci", "wajab": "wajan",
    "toplea": "toples", "nujum": "hujan", "gulei": "gulai", "sabum": "sabun",
    # one letter left out
    "drne": "drone", "prang": "parang", "smbal": "sambal", "kmeja": "kemeja", "btik": "batik", "spatla": "spatula",
    "tumbuk": "tubruk", "mlati": "melati", "kebuaran": "kebugaran", "nirkbel": "nirkabel",
    # one letter too many
    "tehh": "teh", "koppi": "kopi", "sambbal": "sambal", "batiik": "batik", "dronne": "drone", "oliu": "oli",
    "pancing g": "pancing", "rodda": "roda", "sepedda": "sepeda", "bambuu": "bambu",
    # among other words
    "sambal bawng": "bawang", "kemeja batk pria": "batik", "teh melati tubrk": "tubruk", "kopi arabka gayo": "arabika",
    "baterai drne": "drone", "sabun muka kunyt": "kunyit",
}  # fmt: skip
DIFFERENT = {"nujum", "tumbuk", "pancing g"}
"""More than one slip, or words that have another beginning of their own."""


async def search(pool: Pool, wanted: str, sort: Sort | None = None) -> tuple[CatalogueEntry, ...]:
    found = await list_products(pool, ORG, CatalogueFilter(search=wanted), limit=FIRST, sort=sort)
    return found.items


def has_word(entry: CatalogueEntry, word: str) -> bool:
    return re.search(rf"\b{word}\b", entry.name.lower()) is not None


def slipped(word: str, chance: random.Random) -> str:
    """One letter taken for another, swapped with the next, left out or doubled."""
    place = chance.randrange(len(word))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    match chance.choice(("another", "swapped", "left out", "doubled")):
        case "another":
            return before + chance.choice([other for other in "abcdefghijklmnopqrstuvwxyz" if other != letter]) + after
        case "swapped" if after:
            return before + after[0] + letter + after[1:]
        case "left out":
            return before + after
        case _:
            return before + letter + letter + after


def words_of(product: ProductRows) -> list[str]:
    return [word for word in re.findall(r"\b[a-z]+\b", (product.name or "").lower()) if len(word) >= 3]


async def recall_of_words(pool: Pool, products: list[ProductRows], chance: random.Random) -> float:
    """How often a single word with a slip finds a product that has it."""
    found = 0
    for product in products:
        word = chance.choice(words_of(product))
        found += any(has_word(entry, word) for entry in await search(pool, slipped(word, chance)))
    return found / len(products)


async def recall_of_names(pool: Pool, products: list[ProductRows], chance: random.Random) -> float:
    """How often the beginning of a name with a slip in one of its words finds that very product."""
    found = 0
    for product in products:
        words = words_of(product)[:4]
        place = chance.randrange(len(words))
        words[place] = slipped(words[place], chance)
        found += any(entry.name == product.name for entry in await search(pool, " ".join(words)))
    return found / len(products)


@pytest.fixture
async def shelf(database_url: str, app_pool: Pool) -> Pool:
    """The shipped catalogue."""
    await asyncio.to_thread(fill_catalogue, database_url, products_in(SHIPPED))
    return app_pool


async def test_words_with_a_slip_find_what_was_meant(shelf: Pool) -> None:
    missed = {
        typed: meant
        for typed, meant in TYPED.items()
        if typed not in DIFFERENT and not any(has_word(entry, meant) for entry in await search(shelf, typed))
    }
    assert missed == {}


async def test_nine_of_ten_slips_anywhere_in_the_catalogue_find_the_product(shelf: Pool) -> None:
    chance = random.Random(20260105)
    products = chance.sample([product for product in products_in(SHIPPED) if words_of(product)], 150)
    assert await recall_of_words(shelf, products, chance) >= RECALL
    assert await recall_of_names(shelf, products, chance) >= RECALL


@pytest.mark.parametrize("name", ["tokopedia_upload_template.csv", "spare_parts_seller.csv"])
async def test_so_do_slips_in_the_catalogues_of_others(database_url: str, app_pool: Pool, name: str) -> None:
    if not (OTHERS / name).exists():
        pytest.skip(f"{name} is not beside the repository")
    everything = products_in(OTHERS / name)
    await asyncio.to_thread(fill_catalogue, database_url, everything)
    chance = random.Random(20260105)
    products = [product for product in everything if words_of(product)][:100]
    assert await recall_of_words(app_pool, products, chance) >= RECALL
    assert await recall_of_names(app_pool, products, chance) >= RECALL


@pytest.mark.parametrize("typed", ["250 g", "250 gr", "250gr", "250g", "250 gram", "kopi arabika 250 gr"])
async def test_a_measure_is_found_however_it_is_spelled(shelf: Pool, typed: str) -> None:
    found = await search(shelf, typed)
    assert any("Gayo 250g" in entry.name for entry in found), [entry.name for entry in found]


async def test_a_figure_is_never_taken_for_another(shelf: Pool) -> None:
    assert all("251" in entry.search for entry in await search(shelf, "251 gr"))


async def test_slips_do_not_join_what_is_there_exactly(shelf: Pool) -> None:
    for order in (None, Sort.PRICE):
        found = await search(shelf, "kopi", order)
        assert len(found) == FIRST
        assert all("kopi" in entry.search for entry in found)


async def test_where_little_is_there_exactly_slips_rank_below_it(shelf: Pool) -> None:
    found = await search(shelf, "arang")
    exact = ["arang" in entry.search for entry in found]
    assert exact == sorted(exact, reverse=True)
    assert exact[0]


async def test_exact_comes_before_beginning_before_word_before_slip(database_url: str, app_pool: Pool) -> None:
    names = ["Kepi Wol", "Gula Kopi", "Kopi Gayo", "Kopi"]
    products = [ProductRows(sku=f"S-{name}", lines=(1,), name=name) for name in names]
    await asyncio.to_thread(fill_catalogue, database_url, products)
    assert [entry.name for entry in await search(app_pool, "kopi")] == ["Kopi", "Kopi Gayo", "Gula Kopi", "Kepi Wol"]


@pytest.mark.parametrize("typed", ["smabal", "kopi", "batek", "sambal bawng", "zzzzzz", "250 gr", "kemeja batk pira"])
async def test_a_search_reads_few_of_many_products_and_by_index(database_url: str, app_pool: Pool, typed: str) -> None:
    products = products_in(SHIPPED)
    others = [
        ProductRows(sku=f"X-{number}", lines=(1,), name=f"Xylo {number:x} qwert{number % 97}")
        for number in range(9_500)
    ]
    await asyncio.to_thread(fill_catalogue, database_url, [*products, *others])
    async with app_pool.connection() as connection, connection.transaction():
        await connection.execute("select set_config('syncstore.org', %s, true)", [ORG])
        wanted = {"wanted": typed, "words": beginnings(typed), "slips": slips(typed), "likely": likely_slips(typed)}
        await connection.execute(
            "select projections.catalogue_search(%(wanted)s, to_tsquery('simple', %(words)s), "
            "%(slips)s::tsquery, %(likely)s::tsquery)",
            wanted,
        )
        work = await connection.execute(
            "select seq_scan, idx_tup_fetch from pg_stat_xact_user_tables where relname = 'catalogue_1'"
        )
        scans, rows = await work.fetchone() or (None, None)
    assert scans == 0
    assert rows is not None
    assert rows < 400
