"""`syncstore projections`: what there is of each read model, and making or checking one anew."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from infrastructure.kafka.client import reaching
from infrastructure.postgres.pool import WORKER, open_pool
from infrastructure.settings import Settings
from projections import overview
from projections import rebuild as rebuilding
from projections import verify as verification
from projections.fill import Source
from projections.progress import Progress as RebuildProgress
from projections.projection import AnyView
from projections.registry import VIEWS
from services.cli.process import ask, ready_database
from services.servers import kafka_of


@click.group()
def projections() -> None:
    """The read models."""


def _view(name: str) -> AnyView:
    for view in VIEWS:
        if view.name == name:
            return view
    raise click.ClickException(f"there is no view {name!r}; there are {', '.join(view.name for view in VIEWS)}")


def _source(settings: Settings) -> Source:
    assert settings.database_url is not None
    return Source(settings.database_url, WORKER)


@projections.command("list")
def list_() -> None:
    """Each view's generations, size and state."""
    settings = ready_database()

    async def found() -> list[overview.ViewStatus]:
        async with open_pool(_source(settings).url, role=WORKER, name="syncstore-projections") as pool:
            return await overview.list_views(pool)

    for view in ask(found()):
        remark = "  needs a rebuild" if view.needs_rebuild else ""
        click.echo(f"{view.name} (shape {view.shape}){remark}")
        for made in view.generations:
            size = "" if made.bytes is None else f", {made.bytes / 1e6:.1f} MB"
            click.echo(f"    generation {made.generation}: {made.state}, about {made.rows or 0} rows{size}")


@projections.command()
@click.argument("name")
@click.option("--processes", default=2, show_default=True, help="That read and fold at once.")
@click.option("--accept-difference", is_flag=True, help="Switch although the live view says something else.")
def rebuild(name: str, processes: int, accept_difference: bool) -> None:
    """Make a view anew beside the live one, compare, and switch; start it again if it was interrupted."""
    view, settings = _view(name), ready_database()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}"))

    async def made(bar: Progress) -> rebuilding.Rebuilt:
        stages: dict[str, TaskID] = {}

        def show(progress: RebuildProgress) -> None:
            if progress.stage not in stages:
                stages[progress.stage] = bar.add_task(progress.stage, speed="")
            eta = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
            bar.update(
                stages[progress.stage],
                completed=progress.done,
                total=progress.total or None,
                speed=f"{progress.done:,} of {progress.total:,}, {progress.rate:,.0f}/s{eta}",
            )

        kafka = kafka_of(settings)
        async with open_pool(_source(settings).url, role=WORKER, name="syncstore-rebuild") as pool:
            with reaching(kafka):
                return await rebuilding.rebuild(
                    view,
                    _source(settings),
                    pool,
                    kafka,
                    progress=show,
                    processes=processes,
                    accept_difference=accept_difference,
                )

    with Progress(*columns, console=Console(stderr=True)) as bar:
        result: rebuilding.Rebuilt = ask(made(bar))
    click.echo(
        f"{name} is generation {result.generation}: {result.events:,} events read in {result.fill_seconds:.1f} s, "
        f"{result.caught_up:,} caught up, {len(result.differences)} differences, {result.seconds:.1f} s in all, "
        f"others held up for {result.held_seconds * 1000:.0f} ms"
    )


@projections.command()
@click.argument("name")
def verify(name: str) -> None:
    """Compare a view with a fold of the event store, row by row."""
    view, settings = _view(name), ready_database()
    result: verification.Verification = ask(verification.verify(view, _source(settings)))
    click.echo(
        f"{name}: {result.live_rows} rows, {result.true_rows} by the events, {result.behind} under way, "
        f"{result.alone} without an event, {len(result.differences)} differ"
    )
    for difference in result.differences:
        click.echo(f"    {difference}")
    if not result.is_sound:
        raise SystemExit(3)
