import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest

from domain.product.events import BasePriceChanged
from infrastructure.kafka.offsets import Partition
from infrastructure.kafka.replay import Replay
from projections import buckets, checkpoints
from projections.buckets import cut_buckets
from projections.catalogue.projector import CATALOGUE
from projections.catalogue.reader import list_products, read_product
from projections.catch_up import CatchUp, TakenOver, open_offsets
from projections.comparison import checksum, compare
from projections.history.projector import HISTORY
from projections.overview import list_views
from projections.progress import Progress, Reporter
from projections.rebuild import GenerationsDiffer, RebuildRunning, build_missing
from projections.registry import VIEWS
from projections.tables import create_table
from projections.verify import verify
from tests.projections.stage import ORG, Stage, created, until

STAGES = ("filling", "indexing", "catching up", "comparing", "switching")

KILLED = """
import asyncio, os, signal, sys
from infrastructure.kafka.client import KafkaSettings
from infrastructure.postgres.pool import WORKER, open_pool
from projections import buckets
from projections.catalogue.projector import CATALOGUE
from projections.fill import Source
from projections.rebuild import rebuild

url, bootstrap, stage, *topics = sys.argv[1:]
buckets.EVENTS_PER_BUCKET = 10

def die(progress):
    if progress.stage == stage:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with open_pool(url, role=WORKER, name="killed", max_size=6) as pool:
        kafka = KafkaSettings(bootstrap=bootstrap)
        await rebuild(CATALOGUE, Source(url, WORKER), pool, kafka, progress=die, read_topics=topics)

asyncio.run(main())
"""


async def some_products(stage: Stage, count: int) -> list[str]:
    products = [str(uuid.uuid4()) for _ in range(count)]
    for product in products:
        await stage.tell(
            f"product-{product}", created(product, f"Produk {product[:4]}"), BasePriceChanged(old=195_000, new=200_000)
        )
    return products


@pytest.mark.parametrize("stage_of_death", STAGES)
async def test_a_rebuild_killed_at_any_stage_is_resumed(stage: Stage, stage_of_death: str) -> None:
    products = await some_products(stage, 12)
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, stage.url, stage.kafka.bootstrap, stage_of_death, *stage.topics),
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    )
    assert await asyncio.wait_for(killed.wait(), 60) == -signal.SIGKILL
    await stage.tell(f"product-{products[0]}", BasePriceChanged(old=200_000, new=210_000))

    async def released() -> bool:
        return await stage.rows("select 1 from pg_locks where locktype = 'advisory'") == []

    await until(released)
    (rebuilt,) = await stage.build(CATALOGUE)
    assert rebuilt.generation == 1
    found = await verify(CATALOGUE, stage.source)
    assert (found.live_rows, found.behind, found.is_sound) == (12, 0, True)
    answer = await read_product(stage.app, ORG, products[0])
    assert answer.found is not None
    assert answer.found.base_price == 210_000


async def test_a_rebuild_while_writes_go_on_ends_equal_and_no_read_fails(stage: Stage) -> None:
    await some_products(stage, 10)
    await stage.build()
    busy = True
    reads = 0

    async def write() -> None:
        while busy:
            await some_products(stage, 1)

    async def read() -> None:
        nonlocal reads
        least = 10
        while busy:
            page = await list_products(stage.app, ORG, limit=1000)
            assert len(page.items) >= least
            least = len(page.items)
            reads += 1

    async with stage.running():
        work = [asyncio.create_task(write()), asyncio.create_task(read())]
        for _ in range(2):
            await stage.build()
        busy = False
        await asyncio.gather(*work)

        async def settled() -> bool:
            return all([(await verify(view, stage.source)).behind == 0 for view in VIEWS])

        await until(settled)
    for view in VIEWS:
        assert (await verify(view, stage.source)).is_sound
    assert reads > 0
    assert [view.live.generation for view in await list_views(stage.worker) if view.live] == [3, 3, 3, 3]
    tables = await stage.rows("select tablename from pg_tables where schemaname = 'projections' order by 1")
    assert tables == [("catalogue_3",), ("conflicts_3",), ("history_3",), ("listing_status_3",)]


async def test_rebuilding_what_is_right_gives_the_same_checksum(stage: Stage) -> None:
    await some_products(stage, 20)
    await stage.build()
    async with stage.worker.connection() as connection:
        before = await checksum(connection, HISTORY, 1)
    await stage.build(HISTORY)
    async with stage.worker.connection() as connection:
        assert await checksum(connection, HISTORY, 2) == before


async def test_a_row_that_is_not_what_the_events_say_is_shown_before_it_is_replaced(stage: Stage) -> None:
    (product,) = await some_products(stage, 1)
    await stage.build()
    await stage.rows("update projections.catalogue_1 set base_price = 1 returning 1")
    found = await verify(CATALOGUE, stage.source)
    assert not found.is_sound
    with pytest.raises(GenerationsDiffer) as refused:
        await stage.build(CATALOGUE)
    (difference,) = refused.value.differences
    assert difference.key == f"{ORG}/{product}"
    assert difference.columns == {"base_price": (1, 200_000)}
    (rebuilt,) = await stage.build(CATALOGUE, accept_difference=True)
    assert rebuilt.differences == (difference,)
    assert (await verify(CATALOGUE, stage.source)).is_sound


async def test_large_fills_run_in_processes_and_tell_how_far_they_are(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "SMALL", 0)
    monkeypatch.setattr(buckets, "EVENTS_PER_BUCKET", 7)
    await some_products(stage, 20)
    told: list[Progress] = []
    (rebuilt,) = await stage.build(CATALOGUE, progress=told.append)
    assert (rebuilt.events, rebuilt.caught_up) == (40, 0)
    filling = [progress for progress in told if progress.stage == "filling"]
    assert filling[-1].done == filling[-1].total == 40
    assert filling[-1].eta_seconds in {0.0, None}
    assert told[-1].stage == "done"
    assert (await verify(CATALOGUE, stage.source)).is_sound


async def test_one_view_is_rebuilt_once_at_a_time(stage: Stage) -> None:
    async with stage.worker.connection() as connection:
        await connection.execute("select pg_advisory_lock(hashtextextended('syncstore/rebuild/catalogue', 0))")
        with pytest.raises(RebuildRunning):
            await stage.build(CATALOGUE)
        await connection.execute("select pg_advisory_unlock_all()")


async def test_of_two_beginnings_the_last_is_taken_up_and_the_other_leaves_nothing(stage: Stage) -> None:
    await some_products(stage, 3)
    async with stage.worker.connection() as connection:
        for _ in range(2):  # by two who did not see each other
            begun = await connection.execute(checkpoints.sql["begin"], {"view": "catalogue", "shape": CATALOGUE.shape})
            ((generation,),) = await begun.fetchall()
            await create_table(connection, CATALOGUE, generation)
            await open_offsets(connection, CATALOGUE, generation, {Partition(stage.topics[0], 0): 0})
            await cut_buckets(connection, CATALOGUE, generation)
    (rebuilt,) = await stage.build(CATALOGUE)
    assert rebuilt.generation == 2
    assert await stage.rows("select generation from projection_generations") == [(2,)]
    assert await stage.rows("select 1 from consumer_offsets where consumer like 'rebuild.%%'") == []
    assert await stage.rows("select to_regclass('projections.catalogue_1')") == [(None,)]


async def test_a_rebuild_that_another_has_ended_stops_and_leaves_nothing(stage: Stage) -> None:
    await stage.build(CATALOGUE)
    async with Replay(stage.kafka, stage.topics) as replay:
        ended = CatchUp(CATALOGUE, 1, stage.worker, replay, Reporter("catalogue", lambda _: None))
        with pytest.raises(TakenOver, match="another process has ended this rebuild of view catalogue"):
            await ended.to(await replay.ends())
    assert await stage.rows("select 1 from consumer_offsets where consumer like 'rebuild.%%'") == []


async def test_only_views_that_are_missing_are_built_at_a_start(stage: Stage) -> None:
    first = await build_missing(VIEWS, stage.source, stage.worker, stage.kafka, read_topics=stage.topics)
    assert [built.view for built in first] == [view.name for view in VIEWS]
    again = await build_missing(VIEWS, stage.source, stage.worker, stage.kafka, read_topics=stage.topics)
    assert again == []


def test_the_read_side_cannot_reach_a_marketplace() -> None:
    script = (
        "import sys, projections.rebuild, projections.runner;"
        "assert not [m for m in sys.modules if m.startswith(('infrastructure.platforms', 'httpx'))]"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", script]) == 0


async def test_comparing_generations_may_take_longer_than_other_statements(stage: Stage) -> None:
    await some_products(stage, 1)
    await stage.build(CATALOGUE)
    async with stage.worker.connection() as connection, stage.worker.connection() as other:
        await connection.execute("set statement_timeout = '50ms'")
        async with other.transaction():
            await other.execute("lock table projections.catalogue_1 in access exclusive mode")
            comparing = asyncio.create_task(compare(connection, CATALOGUE, 1, 1))
            await asyncio.sleep(0.3)
        assert await comparing == []
        await connection.execute("reset statement_timeout")
