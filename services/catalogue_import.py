"""A catalogue file from disk into the catalogue, with progress; what the command line and the demonstration run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from domain.catalogue_file.columns import UnusedColumn
from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import ProductRows, group_products
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.messages import CommandContext
from domain.ports import Clock, EventStore, Identities
from services.usecases.import_stock import ImportPlan
from services.usecases.imports import Tally, import_products

ACTOR = "cli:import"


def products_of(file: CatalogueFile) -> Iterator[ProductRows | RowRejected]:
    """Rejected rows as they are met, then the products."""
    good: list[CatalogueRow] = []
    for row in file:
        if isinstance(row, RowRejected):
            yield row
        else:
            good.append(row)
    yield from group_products(good)


async def import_path(
    path: Path,
    org_id: str,
    plan: ImportPlan,
    *,
    store: EventStore,
    clock: Clock,
    identities: Identities,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Raises OSError for a file that cannot be read, and the refusals of `domain.catalogue_file.file`."""
    batch = identities.new()
    context = CommandContext(org_id=org_id, actor=ACTOR, now=clock.now(), correlation_id=batch, batch_id=batch)
    with path.open("rb") as lines:
        file = CatalogueFile(_lines(lines))
        return await import_products(
            products_of(file),
            plan,
            store=store,
            identities=identities,
            context=context,
            unused_columns=file.header.unused,
            progress=progress,
        )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    yield from file


def shown(rejections: Sequence[RowRejected], most: int = 20) -> Iterator[str]:
    """Lines for a person: what is wrong where, and what to do."""
    for one in rejections[:most]:
        place = f"line {one.line}" if one.column is None else f"line {one.line}, {one.column}"
        value = "" if not one.value or one.value in one.reason else f" (in {one.value!r})"
        yield f"{place}: {one.reason}{value}. {one.remedy}"
    if len(rejections) > most:
        yield f"... and {len(rejections) - most} more; --json tells all"


def shown_unused(columns: Sequence[UnusedColumn]) -> Iterator[str]:
    for column in columns:
        meant = "" if column.meant is None else f" Did you mean {column.meant}?"
        yield f"column {column.heading!r} is not used: SyncStore knows no such column.{meant}"
