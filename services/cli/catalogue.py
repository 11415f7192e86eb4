"""`syncstore import`: a catalogue file into the catalogue."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.settings import Settings
from services.catalogue_import import import_path, shown, shown_unused
from services.cli.process import ask, ready_database
from services.usecases.import_stock import ImportPlan, StockMode
from services.usecases.imports import Tally


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--org", "org_id", default="toko-nusantara", show_default=True, help="Organisation to import for.")
@click.option("--warehouse", default="JKT", show_default=True, help="Whose stock the file tells.")
@click.option(
    "--stock",
    "stock_mode",
    type=click.Choice([mode.value for mode in StockMode]),
    default="set",
    show_default=True,
    help="Whether the stock column is what is on the shelf, or what came in.",
)
@click.option("--preview", is_flag=True, help="Decide everything, store nothing.")
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON on standard output.")
def import_(file: Path, org_id: str, warehouse: str, stock_mode: str, preview: bool, as_json: bool) -> None:
    """Read a CSV file row by row into the catalogue; each rejected row is named with its reason."""
    settings = ready_database()
    plan = ImportPlan(warehouse=warehouse, stock_mode=StockMode(stock_mode), preview=preview)
    tally: Tally = ask(_import(settings, file, org_id, plan))
    if as_json:
        click.echo(msgspec.json.encode(tally))
    else:
        _tell(tally, preview=preview)
    if tally.rejected:
        raise SystemExit(3)


async def _import(settings: Settings, file: Path, org_id: str, plan: ImportPlan) -> Tally:
    assert settings.database_url is not None
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    async with (
        open_pool(settings.database_url, role=APP, name="syncstore-import") as pool,
        open_clock(pool) as clock,
    ):
        with Progress(*columns, console=Console(stderr=True)) as bar:
            rows = bar.add_task("rows", total=None)
            return await import_path(
                file,
                org_id,
                plan,
                store=PostgresEventStore(pool),
                clock=clock,
                identities=TimeSortedIdentities(),
                progress=lambda tally: bar.update(rows, completed=tally.processed),
            )


def _tell(tally: Tally, *, preview: bool) -> None:
    would = "would be " if preview else ""
    click.echo(
        f"{tally.processed} rows: {tally.created} {would}created, {tally.updated} {would}updated, "
        f"{tally.unchanged} unchanged, {tally.rejected} rejected; {tally.products} products, {tally.events} events"
    )
    if not tally.processed:
        click.echo("there is no row below the headings")
    for line in (*shown_unused(tally.unused_columns), *shown(tally.rejections)):
        click.echo(line)
