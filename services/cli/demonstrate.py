"""`syncstore demo`: the whole system on one machine, shown and checked on a real catalogue."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from msgspec.structs import replace

from domain.errors import SyncStoreError
from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.stack import LocalStack
from infrastructure.security.local_key import local_key
from infrastructure.settings import Settings
from services.cli.process import configured, started, told
from services.cli.single import only_one
from services.demo.run import run_demo

CATALOGUE = Path(__file__).parents[2] / "deploy" / "demo" / "catalogue.csv"


@click.command()
@click.option("--check", is_flag=True, help="Without a person: on fresh data, every figure checked, then stopped.")
@click.option(
    "--catalogue",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=CATALOGUE,
    help="Another catalogue in SyncStore's columns; it must contain the product BTK-PRG.",
)
def demo(check: bool, catalogue: Path) -> None:
    """Import a catalogue, show it in a simulated shop, change prices on both sides, and tell what happened."""
    if check:
        sys.exit(_checked(catalogue))
    with started("syncstore demo") as settings:
        code = _run(settings, catalogue, check=False)
    sys.exit(code)


def _checked(catalogue: Path) -> int:
    """On a stack of its own, deleted before and after; only the jars are shared."""
    base = configured()
    if not base.uses_local_stack:
        raise click.ClickException("--check starts a local stack of its own; unset SYNCSTORE_DATABASE_URL for it")
    folder = base.folder / "check"
    with told(), only_one(folder / "run.lock", "syncstore demo --check"):
        return _checked_alone(base, folder, catalogue)


def _checked_alone(base: Settings, folder: Path, catalogue: Path) -> int:
    stack = LocalStack(folder, jars=base.folder / "jars", report=click.echo)
    try:
        stack.reset()
        (folder / "shopee.json").unlink(missing_ok=True)
        address = stack.up()
        settings = replace(
            base,
            local_folder=str(folder),
            database_url=address.database_url,
            kafka_bootstrap=address.kafka_bootstrap,
            encryption_keys=local_key(folder),
        )
        return _run(settings, catalogue, check=True)
    except LocalStackError as error:
        raise click.ClickException(str(error)) from error
    finally:
        stack.reset()


def _run(settings: Settings, catalogue: Path, *, check: bool) -> int:
    try:
        return asyncio.run(run_demo(settings, catalogue, _say, check=check))
    except SyncStoreError as error:
        raise click.ClickException(str(error)) from error


def _say(line: str) -> None:
    """A line that begins with a carriage return is progress: it is written over by the next."""
    if line.startswith("\r"):
        if sys.stdout.isatty():
            click.echo(f"{line}\x1b[K", nl=False)
        return
    click.echo(f"\r\x1b[K{line}" if sys.stdout.isatty() else line)
