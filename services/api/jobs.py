"""Work that goes on after its request was answered: bulk changes, imports, and how far each job is."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from infrastructure.jobs.jobs import Item, ItemState, Job, JobState, NewJob
from infrastructure.security.api_keys import Scope
from services.api.authorisation import Access
from services.api.bodies import MAX_FILE, read_limited
from services.api.commands import REPLAYED
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Fault, Problem
from services.api.product_bodies import Changes
from services.api.products import PATH
from services.bulk_job import BulkItem
from services.import_job import ImportReport, report_of, run_import
from services.usecases.import_stock import ImportPlan, StockMode
from services.usecases.outcome import KeyReused

MAX_ITEMS: Final = 1_000
JOBS: Final = "/api/v2/jobs"
IMPORTS: Final = "/api/v2/imports"
EXAMPLES: Final = {"job_id": "0190a3d0-7c9e-7b5a-8f00-3c2d5e6f7a8b"}


class BulkChange(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product, by `id` or by the `sku` of it or of one of its variants, and what shall change of it."""

    changes: Changes
    id: str | None = None
    sku: str | None = None


class BulkUpdate(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    items: Annotated[tuple[BulkChange, ...], Meta(min_length=1, max_length=MAX_ITEMS)]


class JobAccepted(Struct, frozen=True, kw_only=True):
    id: UUID
    state: JobState = "waiting"


class JobView(Struct, frozen=True, kw_only=True):
    """A job, how many of its items stand how, and a page of them. `report` tells of an import how far it is.

    An item waits, and ends as done (it changed the product), unchanged (the product was so already, nothing was
    stored), refused (with its problem) or cancelled; `counts` has each by itself, `settled` all but the waiting ones.
    """

    id: UUID
    kind: str
    state: JobState
    actor: str
    total: int
    settled: int
    counts: dict[ItemState, int]
    error: str | None
    report: ImportReport | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    items: tuple[Item, ...]
    next_cursor: str | None


class JobQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    state: ItemState | None = None
    limit: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] = 200
    cursor: Annotated[str, Meta(pattern="^[0-9]{1,9}$")] | None = None


@endpoint(
    "POST",
    PATH + "/bulk-update",
    scope=Scope.PRODUCTS_WRITE,
    tag="Products",
    summary="Change many products in one job",
    answers={202: JobAccepted},
    command=True,
    example={"items": [{"sku": "BTK-PRG", "changes": {"base_price": 199000}}]},
)
async def bulk_update_products(call: Call, body: BulkUpdate) -> Answer:
    """Each item ends in a state of its own (done, unchanged, refused or cancelled), none for the sake of another; GET
    the job for them. Items are done in order, each once, also when the process is killed meanwhile.
    """
    items = tuple(_bulk_item(place, item) for place, item in enumerate(body.items))
    return await _create(call, "bulk_update", msgspec.to_builtins(body), items=items)


def _bulk_item(place: int, item: BulkChange) -> bytes:
    if (item.id is None) == (item.sku is None):
        fault = Fault(detail="Object takes either `id` or `sku`", pointer=f"/items/{place}")
        raise Problem("body_invalid", f"{fault.pointer}: {fault.detail}", errors=[fault])
    return msgspec.json.encode(BulkItem(change=item.changes.command(), product_id=item.id, sku=item.sku))


class ImportQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    warehouse: Annotated[str, Meta(min_length=1, max_length=50)]
    mode: StockMode = StockMode.SET
    """Whether figures of stock are what is on the shelf, or what came in."""
    preview: bool = False


_CSV: Final = "sku,name,base_price,stock\nBTK-PRG,Kemeja Batik Parang,189000,24\n"


@endpoint(
    "POST",
    IMPORTS,
    scope=Scope.IMPORTS_WRITE,
    tag="Imports",
    summary="Import a catalogue file",
    answers={202: JobAccepted, 200: ImportReport},
    refusals=(
        "body_too_large", "media_type_unsupported", "file_empty", "file_is_workbook", "not_utf8", "quotes_broken",
        "columns_missing", "columns_repeated", "warehouse_invalid",
    ),
    command=True,
    body_media_type="text/csv",
    example=_CSV,
)  # fmt: skip
async def import_catalogue(call: Call, query: ImportQuery) -> Answer:
    """CSV in UTF-8 with a row of headings; products are matched by SKU. With `preview` everything is decided, nothing
    is stored, and the report comes at once; else a job is made.
    """
    content_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "text/csv":
        raise Problem(
            "media_type_unsupported", f"the body is {content_type or 'of no media type'}", expected="text/csv"
        )
    content = await read_limited(call.request.receive, MAX_FILE, call.request.headers.get("content-length"))
    plan = ImportPlan(warehouse=query.warehouse, stock_mode=query.mode, preview=query.preview)
    if query.preview:
        context = msgspec.structs.replace(call.context(), batch_id=call.app.identities.new())
        return Answer(report_of(await run_import(call.app, context, content, plan)))
    return await _create(call, "import", content, parameters=msgspec.json.encode(plan), payload=content)


async def _create(call: Call, kind: str, asked: Any, **parts: Any) -> Answer:
    key = call.idempotency_key()
    fingerprint = None if key is None else call.fingerprint(asked)
    app, caller = call.app, call.caller
    job = NewJob(
        id=app.identities.new(),
        kind=kind,
        actor=caller.actor,
        correlation_id=call.context().correlation_id,
        key=key,
        fingerprint=fingerprint,
        **parts,
    )
    if key is not None and await app.store.answered(caller.org_id, key) is not None:
        raise KeyReused(f"key {key!r} was used for another request", key=key)
    made = await app.jobs.create(caller.org_id, job)
    headers = {"location": f"{JOBS}/{made.id}"}
    if made.fingerprint is not None:
        if made.fingerprint != fingerprint:
            raise KeyReused(f"key {key!r} was used for another request", key=key)
        headers |= REPLAYED
    return Answer(JobAccepted(id=made.id), HTTPStatus.ACCEPTED, headers)


@endpoint(
    "GET",
    JOBS + "/{job_id:str}",
    scope=Access.ANY_KEY,
    tag="Jobs",
    summary="How far a job is, and its items",
    answers={200: JobView},
    refusals=("job_unknown",),
    path_examples=EXAMPLES,
)
async def get_job(call: Call, query: JobQuery) -> Answer:
    return await _job(call, query)


@endpoint(
    "GET",
    IMPORTS + "/{job_id:str}",
    scope=Scope.IMPORTS_WRITE,
    tag="Imports",
    summary="How far an import is",
    answers={200: JobView},
    refusals=("job_unknown",),
    path_examples=EXAMPLES,
)
async def get_import(call: Call, query: JobQuery) -> Answer:
    """`report` counts the rows by what became of them and tells the rejected ones with their reasons."""
    return await _job(call, query)


async def _job(call: Call, query: JobQuery) -> Answer:
    app, org_id = call.app, call.org_id
    job = await _known(call)
    after = -1 if query.cursor is None else int(query.cursor)
    items = await app.jobs.items(org_id, job.id, after=after, limit=query.limit, state=query.state)
    report = None if job.report is None else msgspec.convert(job.report, ImportReport)
    view = JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        actor=job.actor,
        total=job.total,
        settled=sum(count for state, count in job.counts.items() if state != "waiting"),
        counts=job.counts,
        error=job.error,
        report=report,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        items=tuple(items),
        next_cursor=str(items[-1].number) if len(items) == query.limit else None,
    )
    return Answer(view)


@endpoint(
    "POST",
    JOBS + "/{job_id:str}/cancel",
    scope=Scope.PRODUCTS_WRITE,
    tag="Jobs",
    summary="Begin nothing more of a job",
    answers={200: JobAccepted},
    refusals=("job_unknown", "job_ended"),
    command=True,
    path_examples=EXAMPLES,
)
async def cancel_job(call: Call) -> Answer:
    """What was done stays done; the items tell which."""
    job = await _known(call)
    if job.state != "cancelled" and not await call.app.jobs.cancel(call.org_id, job.id):
        raise Problem("job_ended", f"the job is {job.state}", state=job.state)
    return Answer(JobAccepted(id=job.id, state="cancelled"))


async def _known(call: Call) -> Job:
    job_id: UUID | None
    try:
        job_id = UUID(call.path("job_id"))
    except ValueError:
        job_id = None
    job = None if job_id is None else await call.app.jobs.read(call.org_id, job_id)
    if job is None:
        raise Problem("job_unknown", f"there is no job {call.path('job_id')}")
    return job


ROUTES: Final = (bulk_update_products, import_catalogue, get_job, get_import, cancel_job)
