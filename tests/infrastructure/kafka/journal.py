"""An effect that writes down what it is given, and a consumer for it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from domain.messages import RecordedEvent
from domain.product.events import ProductRenamed
from infrastructure.kafka.consumer import Consumer
from tests.projections.stage import DEADLINE, Stage, until


class Journal:
    """An effect that writes down what it is given, and refuses what it is told to refuse."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.name = f"journal-{uuid.uuid4().hex[:8]}"
        self.topics = tuple(topics)
        self.refuses: set[str] = set()
        self.outage: list[Exception] = []
        self.calls = 0

    async def apply(self, connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> None:
        self.calls += 1
        if self.outage:
            raise self.outage.pop()
        for event in events:
            new = event.data.decode()
            if any(word in new for word in self.refuses):
                raise ValueError(f"will not have {new}")
            await connection.execute(
                "insert into journal (stream_id, version) values (%s, %s)", (event.stream_id, event.version)
            )


@asynccontextmanager
async def consuming(stage: Stage, effect: Journal, **how: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    how = {"measure_every": 0.1, "metrics": stage.metrics, **how}
    task = asyncio.create_task(Consumer(effect, stage.worker, stage.kafka, **how).run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(DEADLINE):
            await task


async def rename(stage: Stage, product: str, *names: str) -> None:
    await stage.tell(f"product-{product}", *(ProductRenamed(old="-", new=name) for name in names))


async def written(stage: Stage, product: str) -> list[int]:
    rows = await stage.rows("select version from journal where stream_id = %s order by id", f"product-{product}")
    return [version for (version,) in rows]


async def wait_for(stage: Stage, product: str, versions: list[int]) -> None:
    async def there() -> bool:
        return await written(stage, product) == versions

    await until(there)
