"""Events with their outbox rows, stored as an append does it but without its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from infrastructure.outbox.shards import shard_of

ORG: Final = "toko-batik"

STORE: Final = """
with given as (
    select nextval('event_position') as position, row.* from (
        select * from unnest(%(streams)s::text[], %(versions)s::integer[], %(keys)s::text[], %(shards)s::smallint[],
            %(data)s::text[]) with ordinality as row (stream_id, version, partition_key, shard, data, number)
        order by number
    ) row
), made as (
    insert into events (position, org_id, stream_id, version, partition_key, event_id, type, schema, data, occurred_at,
        actor, correlation_id)
    select position, %(org)s, stream_id, version, partition_key, gen_random_uuid(), 'product.renamed', 1, data::json,
        now(), 'user:rina', gen_random_uuid()
    from given
), queued as (
    insert into outbox (position, shard) select position, shard from given
)
select position from given order by number
"""


class Fact(NamedTuple):
    key: str
    version: int
    category: str = "product"
    size: int = 0
    """Of the data, in bytes, at least."""

    @property
    def stream_id(self) -> str:
        return f"{self.category}-{self.key}"


def rounds(keys: Sequence[str], versions: Iterable[int]) -> list[Fact]:
    """Each version of every key, then the next."""
    return [Fact(key, version) for version in versions for key in keys]


async def store(connection: AsyncConnection[Any], facts: Iterable[Fact], *, org: str = ORG) -> list[int]:
    """The positions, in order of the facts."""
    facts = list(facts)
    cursor = await connection.execute(
        STORE,
        {
            "org": org,
            "streams": [fact.stream_id for fact in facts],
            "versions": [fact.version for fact in facts],
            "keys": [fact.key for fact in facts],
            "shards": [shard_of(fact.key) for fact in facts],
            "data": [f'{{"old":"-","new":"{"x" * fact.size}{fact.version}"}}' for fact in facts],
        },
    )
    return [position for (position,) in await cursor.fetchall()]
