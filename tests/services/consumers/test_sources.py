"""What desired values are made of: as it is now, at the cost of what is new, however long its history."""

from __future__ import annotations

from services.consumers.sources import SourceReader
from tests.services.consumers.stage import ORG, Stage, Weighing


async def test_a_long_history_is_read_once(stage: Stage) -> None:
    await stage.connect("SHP")
    await stage.create()
    for price in range(100_000, 100_050):
        await stage.change(base_price=price)
    store = Weighing(stage.pool)
    reader = SourceReader(store, stage.pool)
    await reader.read(ORG, ["p1"], ["SHP"])
    whole = store.handed_out
    await stage.change(base_price=777_000)
    sources = await reader.read(ORG, ["p1"], ["SHP"])
    assert sources.products["p1"].base_price == 777_000
    assert [shop.connection_id for shop in sources.connections] == ["SHP"]
    assert (whole > 50, store.handed_out - whole) == (True, 1)


async def test_what_moved_after_it_was_read_is_told(stage: Stage) -> None:
    await stage.connect("SHP")
    await stage.create("p1", "BTK")
    await stage.create("p2", "KPI")
    reader = SourceReader(stage.store, stage.pool)
    sources = await reader.read(ORG, ["p1", "p2", "p3"], ["SHP"])
    assert await reader.moved(ORG, sources) == set()
    await stage.change("p2", base_price=777_000)
    assert await reader.moved(ORG, sources) == {"p2"}
    sources = await reader.read(ORG, ["p1", "p2"], ["SHP"])
    assert await reader.moved(ORG, sources) == set()
