"""Products and connections as they are now, at the cost of what is new: each is read from where it was last seen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from domain.connection.state import ConnectionState
from domain.decider import Decider
from domain.messages import RecordedEvent
from domain.ports import EventStore
from domain.product.state import ProductState
from domain.values import category_of
from services.usecases.aggregates import CONNECTION, PRODUCT
from services.usecases.remembered import Remembered
from services.usecases.repository import CACHED_STREAMS
from services.usecases.stored_events import from_store

_DECIDERS: Final[Mapping[str, Decider[Any, Any, Any]]] = {"connection": CONNECTION.decider, "product": PRODUCT.decider}


class Known(Struct, frozen=True):
    last: RecordedEvent
    """Of those in the state."""
    state: ProductState | ConnectionState


class States:
    """Remembers what it has read."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._known: Remembered[tuple[str, str], Known] = Remembered(CACHED_STREAMS)

    async def read(self, org_id: str, streams: Sequence[str]) -> dict[str, Known]:
        """Each stream as it is now, in one round trip; one without events is absent."""
        known = {stream: one for stream in streams if (one := self._known.get((org_id, stream)))}
        after = {stream: one.last.version for stream, one in known.items()}
        for stream, news in (await self._store.read_streams(org_id, streams, after=after)).items():
            decider = _DECIDERS[category_of(stream)]
            before = known[stream].state if stream in known else decider.initial
            known[stream] = Known(news[-1], decider.fold(from_store(news), before))
            self._known.put((org_id, stream), known[stream])
        return {stream: known[stream] for stream in streams if stream in known}
