"""Which generation of each view is live. Read inside the transaction that has moved the offsets: the switch to another
generation holds those, so a batch is applied to one generation or to the other, never to none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from domain.errors import Transient
from infrastructure.postgres.statements import load
from projections.projection import AnyView

sql: Final = load(Path(__file__).with_name("generations.sql"))


class Generation(NamedTuple):
    number: int
    shape: int


class ViewNotBuilt(Transient):
    """No generation of this view has the shape that this version of the code folds into."""


async def live_generations(connection: AsyncConnection[Any]) -> dict[str, Generation]:
    cursor = await connection.execute(sql["live"])
    return {name: Generation(number, shape) for name, number, shape in await cursor.fetchall()}


def generation_for(view: AnyView, live: dict[str, Generation]) -> int:
    """The live generation of a view.

    Raises ViewNotBuilt: a rebuild makes one, or has made one that only newer code can write.
    """
    found = live.get(view.name)
    if found is None:
        raise ViewNotBuilt(f"view {view.name} has not been built; run: syncstore projections rebuild {view.name}")
    if found.shape != view.shape:
        raise ViewNotBuilt(
            f"view {view.name} is live in shape {found.shape}, this code writes shape {view.shape}; "
            f"run the rebuild, or the version of SyncStore that fits"
        )
    return found.number
