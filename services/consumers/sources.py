"""What desired values are made of, read at one moment, and whether it has moved since.

States are remembered and only what came since is read: a moment must stay short however long a product's history is, or
something always moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from domain.connection.state import Connection, ConnectionState
from domain.decider import Decider
from domain.messages import RecordedEvent
from domain.ports import EventStore
from domain.product.state import Product, ProductState
from domain.values import category_of, identity_of, stream_id
from infrastructure.postgres.pool import Pool
from infrastructure.shops import stock_levels
from services.usecases.aggregates import CONNECTION, PRODUCT
from services.usecases.remembered import Remembered
from services.usecases.repository import from_store

CONNECTIONS_AT_ONCE: Final = 1000
REMEMBERED: Final = 20_000
"""Products and connections."""

Level = tuple[str, str, int]
"""SKU, warehouse, pieces."""


class Sources(Struct, frozen=True):
    products: Mapping[str, Product]
    levels: Mapping[str, Sequence[Level]]
    connections: Sequence[Connection]
    versions: Mapping[str, int]
    """Of the streams of products and connections."""


class _Known(Struct, frozen=True):
    version: int
    state: ProductState | ConnectionState | None


class SourceReader:
    """Each read sees what is committed, whatever transaction the caller is in."""

    def __init__(self, store: EventStore, pool: Pool) -> None:
        self._store = store
        self._pool = pool
        self._known: Remembered[tuple[str, str], _Known] = Remembered(REMEMBERED)

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
        known = {stream: self._known.get((org_id, stream)) or _Known(0, None) for stream in asked}
        versions = {stream: one.version for stream, one in known.items()}
        for stream, news in (await self._store.read_streams(org_id, asked, after=versions)).items():
            state = _fold(stream, news, known[stream].state)
            known[stream] = _Known(news[-1].version, state)
            self._known.put((org_id, stream), known[stream])
        states = [one.state for one in known.values()]
        return Sources(
            products={state.product_id: state for state in states if isinstance(state, Product)},
            levels=await self._levels(org_id, products),
            connections=[state for state in states if isinstance(state, Connection)],
            versions={stream: one.version for stream, one in known.items() if one.version},
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


def _fold(
    stream: str, news: Sequence[RecordedEvent], state: ProductState | ConnectionState | None
) -> ProductState | ConnectionState:
    events: list[Any] = from_store(news)
    decider: Decider[Any, Any, Any] = CONNECTION.decider if category_of(stream) == "connection" else PRODUCT.decider
    folded: ProductState | ConnectionState = decider.fold(events, decider.initial if state is None else state)
    return folded
