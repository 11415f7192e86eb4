"""What callers were promised, and whether it is there: once, where it was said to be, saying what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

BATCH: Final = 20_000

HELD: Final = """
with told as (
    select org_id, stream_id, coalesce(data ->> 'new', data ->> 'reason', data ->> 'sku') as value, count(*) as times
    from events
    where type in ('product.created', 'product.renamed', 'product.base-price-changed', 'stock.received')
    group by 1, 2, 3
)
select a.number, e.version, coalesce(e.data ->> 'new', e.data ->> 'reason', e.data ->> 'sku'), t.times
from pg_temp.acknowledged a
left join events e on e.position = a.position
left join told t on t.org_id = e.org_id and t.stream_id = e.stream_id
    and t.value = coalesce(e.data ->> 'new', e.data ->> 'reason', e.data ->> 'sku')
order by a.number
"""


class Acknowledged(NamedTuple):
    """A command that was answered with success."""

    key: str
    position: int
    version: int
    value: str
    """What it asked for; no other command of the same stream asks for it."""


class Held(NamedTuple):
    """What the store holds at an acknowledged position; None where there is nothing."""

    version: int | None
    value: str | None
    times: int | None
    """How often the stream says this."""


@dataclass
class Journal:
    acknowledged: list[Acknowledged] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Attempts, retries, repetitions under the same key, rolled back transactions, ..."""
    broken: list[str] = field(default_factory=list)
    """Promises that a caller saw broken: another answer to the same key, a refusal of what is allowed."""


def judge(pairs: Iterable[tuple[Acknowledged, Held]]) -> list[str]:
    """One line for each promise that was not kept."""
    wrong = []
    for promise, held in pairs:
        if held.version is None:
            wrong.append(f"acknowledged and lost: {promise}")
        elif (held.version, held.value) != (promise.version, promise.value):
            wrong.append(f"acknowledged otherwise: {promise}, the store holds {held}")
        elif held.times != 1:
            wrong.append(f"done {held.times} times: {promise}")
    return wrong


async def look_up(
    connection: AsyncConnection[Any], promises: Sequence[Acknowledged]
) -> list[tuple[Acknowledged, Held]]:
    await connection.execute("create temporary table acknowledged (number integer, position bigint)")
    async with connection.cursor() as cursor, cursor.copy("copy pg_temp.acknowledged from stdin") as copy:
        for number, promise in enumerate(promises):
            await copy.write_row((number, promise.position))
    async with connection.cursor() as cursor:
        await cursor.execute(HELD)
        return [(promises[number], Held(*held)) async for number, *held in cursor]
