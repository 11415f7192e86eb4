"""The job behind POST /imports, and the preview of one: a catalogue file read row by row into the catalogue."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from domain.catalogue_file.columns import Header, UnusedColumn
from domain.catalogue_file.file import CatalogueFile
from domain.catalogue_file.products import ProductRows, group_products
from domain.catalogue_file.rows import CatalogueRow, RowRejected
from domain.messages import CommandContext
from infrastructure.jobs.jobs import Job
from services.app import App
from services.usecases.import_stock import ImportPlan
from services.usecases.imports import Tally, import_products

MAX_REJECTIONS: Final = 1000
"""How many rejected rows a report tells one by one; all are counted."""
RENEW_SECONDS: Final = 5.0


class ImportReport(Struct, frozen=True, kw_only=True):
    """Rows of the file by what became of them, and the rejected ones with line, reason and remedy.

    `unused_columns` are headings that mean nothing here, each with the one that was perhaps meant.
    """

    rows: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    products: int
    events: int
    rejections: tuple[RowRejected, ...]
    unused_columns: tuple[UnusedColumn, ...] = ()


def report_of(tally: Tally) -> ImportReport:
    return ImportReport(
        rows=tally.processed,
        created=tally.created,
        updated=tally.updated,
        unchanged=tally.unchanged,
        rejected=tally.rejected,
        products=tally.products,
        events=tally.events,
        rejections=tuple(tally.rejections[:MAX_REJECTIONS]),
        unused_columns=tally.unused_columns,
    )


async def import_file(app: App, org_id: str, job: Job) -> None:
    """Refusals of the file as a whole end the job as failed; rows are refused one by one."""
    plan = msgspec.json.decode(job.parameters, type=ImportPlan)
    content = await app.jobs.payload(org_id, job.id)
    context = CommandContext(
        org_id=org_id, actor=job.actor, now=app.clock.now(), correlation_id=job.correlation_id, batch_id=job.id
    )
    tally = Tally()

    def follow(so_far: Tally) -> None:
        nonlocal tally
        tally = so_far

    importing = asyncio.create_task(run_import(app, context, content, plan, follow))
    try:
        while not importing.done():
            await asyncio.wait({importing}, timeout=RENEW_SECONDS)
            if not await app.jobs.renew(org_id, job.id, msgspec.json.encode(report_of(tally))):
                return
        report = msgspec.json.encode(report_of(await importing))
    finally:
        importing.cancel()
        await asyncio.gather(importing, return_exceptions=True)
    await app.jobs.finish(org_id, job.id, state="finished", report=report)


async def run_import(
    app: App,
    context: CommandContext,
    content: bytes,
    plan: ImportPlan,
    progress: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Raises the refusals of `domain.catalogue_file` that concern the file as a whole."""
    # Reading a large file takes seconds of pure computing; requests are answered meanwhile.
    header, rows = await asyncio.to_thread(_read, content)
    return await import_products(
        rows,
        plan,
        store=app.store,
        identities=app.identities,
        context=context,
        unused_columns=header.unused,
        progress=progress,
    )


def _read(content: bytes) -> tuple[Header, Sequence[ProductRows | RowRejected]]:
    file = CatalogueFile(io.BytesIO(content))
    faulty: list[RowRejected] = []

    def sound() -> Iterator[CatalogueRow]:
        for row in file:
            if isinstance(row, RowRejected):
                faulty.append(row)
            else:
                yield row

    grouped = list(group_products(sound()))
    return file.header, [*faulty, *grouped]
