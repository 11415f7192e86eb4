"""What desired values are made of, read at one moment, and whether it has moved since.

States are remembered and only what came since is read: a moment must stay short however long a product's history is, or
something always moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from msgspec import Struct

from domain.connection.state import Connection
from domain.ports import EventStore
from domain.product.state import Product
from domain.values import identity_of, stream_id
from infrastructure.postgres.pool import Pool
from infrastructure.shops import stock_levels
from services.consumers.states import States

CONNECTIONS_AT_ONCE: Final = 1000

Level = tuple[str, str, int]
"""SKU, warehouse, pieces."""


class Sources(Struct, frozen=True):
    products: Mapping[str, Product]
    levels: Mapping[str, Sequence[Level]]
    connections: Sequence[Connection]
    versions: Mapping[str, int]
    """Of the streams of products and connections."""


class SourceReader:
    """Each read sees what is committed, whatever transaction the caller is in."""

    def __init__(self, store: EventStore, pool: Pool) -> None:
        self._store = store
        self._pool = pool
        self._states = States(store)

    async def connections_of(self, org_id: str) -> list[str]:
        """The ids of an organisation's connections."""
        found: list[str] = []
        last = ""
        while True:
            page = await self._store.streams_of(org_id, "connection", after=last, limit=CONNECTIONS_AT_ONCE)
            found += [identity_of(stream) for stream in page]
            if len(page) < CONNECTIONS_AT_ONCE:
                return found
            last = page[-1]

    async def read(self, org_id: str, products: Collection[str], connections: Collection[str]) -> Sources:
        asked = [stream_id("connection", one) for one in connections] + [stream_id("product", one) for one in products]
        known = await self._states.read(org_id, asked)
        states = [one.state for one in known.values()]
        return Sources(
            products={state.product_id: state for state in states if isinstance(state, Product)},
            levels=await self._levels(org_id, products),
            connections=[state for state in states if isinstance(state, Connection)],
            versions={stream: one.last.version for stream, one in known.items()},
        )

    async def moved(self, org_id: str, sources: Sources) -> set[str]:
        """The products of which something is not any more as it was read."""
        now = await self._store.versions_of(org_id, list(sources.versions))
        streams = {stream for stream, version in sources.versions.items() if now.get(stream, 0) > version}
        if any(stream.startswith("connection-") for stream in streams):
            return set(sources.products)
        levels = await self._levels(org_id, sources.products)
        return {
            product
            for product in sources.products
            if stream_id("product", product) in streams
            or sorted(levels.get(product, ())) != sorted(sources.levels.get(product, ()))
        }

    async def _levels(self, org_id: str, products: Collection[str]) -> dict[str, list[Level]]:
        async with self._pool.connection() as connection:
            return await stock_levels.of_products(connection, org_id, list(products))
