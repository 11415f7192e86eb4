"""Doing jobs in the background: one at a time for each process, taken up again by anyone after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from domain.errors import Refusal, Transient
from infrastructure.jobs.jobs import Job, Jobs
from services.app import App
from services.bulk_job import bulk_update
from services.import_job import import_file

IDLE_SECONDS: Final = 1.0
"""Between two looks for jobs that other processes made or left."""

Work = Callable[[App, str, Job], Awaitable[None]]

WORK: Final[dict[str, Work]] = {"bulk_update": bulk_update, "import": import_file}

log: Final = structlog.get_logger()


async def run_jobs(app: App, stop: asyncio.Event) -> None:
    """Do jobs until `stop` is set; one that is under way then is left at the next item for somebody else."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            busy = asyncio.create_task(_pass(app))
            await asyncio.wait({busy, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not busy.done():
                busy.cancel()
                await asyncio.gather(busy, return_exceptions=True)
    finally:
        stopping.cancel()


async def _pass(app: App) -> None:
    try:
        if not await do_one(app):
            await _idle(app.jobs)
    except Exception:
        log.exception("jobs_interrupted")
        await asyncio.sleep(IDLE_SECONDS)


async def _idle(jobs: Jobs) -> None:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            await jobs.arrived.wait()
    except TimeoutError:
        return
    jobs.arrived.clear()


async def do_one(app: App) -> bool:
    """Take a job and do it to its end. False when there is none."""
    taken = await app.jobs.take(list(WORK))
    if taken is None:
        return False
    org_id, job_id, kind = taken
    try:
        await _do(app, org_id, job_id, kind)
    except BaseException:
        # Cancelled or broken off: shielded, so that the next one need not wait for the lease to run out.
        await asyncio.shield(app.jobs.release(org_id, job_id))
        raise
    return True


async def _do(app: App, org_id: str, job_id: UUID, kind: str) -> None:
    job = await app.jobs.read(org_id, job_id)
    assert job is not None, "a job that was taken is there"
    log.info("job_taken", job_id=str(job_id), kind=kind, org_id=org_id)
    try:
        await WORK[kind](app, org_id, job)
    except Transient:
        raise  # whoever takes it next goes on where this one stopped
    except Refusal as refusal:
        await app.jobs.finish(org_id, job_id, state="failed", error=f"{refusal.code}: {refusal} {refusal.remedy}")
    log.info("job_ended", job_id=str(job_id), kind=kind, org_id=org_id)
