"""The processes: each part on its own for production, all of them in one terminal for one machine."""

from __future__ import annotations

import asyncio

import click

from services import bootstrap
from services.cli.process import run_part, started
from services.together import run_together


@click.command()
def api() -> None:
    """Serve the HTTP API."""
    run_part("api", bootstrap.run_api)


@click.command()
def project() -> None:
    """Keep the read models."""
    run_part("project", bootstrap.run_project)


@click.command()
def react() -> None:
    """Derive what shops shall show, and publish product states."""
    run_part("react", bootstrap.run_react)


@click.command()
def push() -> None:
    """Push to shops, and watch them."""
    run_part("push", bootstrap.run_push)


@click.command()
def up() -> None:
    """All parts in one terminal; Ctrl-C stops them."""
    with started() as settings:
        asyncio.run(run_together(settings, click.echo))
