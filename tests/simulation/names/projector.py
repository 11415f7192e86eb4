"""The last name of each stream's product, and the versions that have been folded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import field

from domain.events import DomainEvent
from domain.product.events import ProductRenamed
from projections.projection import Fact, Row, View, touch


class Name(Row):
    stream_id: str
    name: str = ""
    folded: list[int] = field(default_factory=list)


def _fold(row: Name | None, fact: Fact, event: DomainEvent) -> Name:
    assert isinstance(event, ProductRenamed), "nothing else is in these schedules"
    if row is None:
        row = Name(org_id=fact.org_id, version=0, position=0, stream_id=fact.stream_id)
    row.name = event.new
    row.folded = [*row.folded, fact.version]
    touch(row, fact)
    return row


NAMES: Final[View[Name, Name]] = View(
    name="names",
    shape=1,
    categories=("product", "stock"),
    row=Name,
    key="stream_id",
    key_of=lambda fact, _: fact.stream_id,
    fold=_fold,
    folder=Path(__file__).parent,
)
