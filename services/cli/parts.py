"""The processes: each part on its own for production, all of them in one terminal for one machine."""

from __future__ import annotations

import asyncio

import click
from msgspec.structs import replace

from infrastructure.settings import Settings
from services import bootstrap
from services.cli.process import run_part, started
from services.together import run_together


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Default: SYNCSTORE_API_PORT, or 8080.")
def api(port: int | None) -> None:
    """Serve the HTTP API."""

    async def serve(settings: Settings, stop: asyncio.Event) -> None:
        await bootstrap.run_api(settings if port is None else replace(settings, api_port=port), stop)

    run_part("api", serve)


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
    with started("syncstore up") as settings:
        asyncio.run(run_together(settings, click.echo))
