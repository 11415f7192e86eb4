"""`syncstore simulate`: marketplaces that behave like the real ones, on loopback."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from infrastructure.observability.logs import configure_logs
from services.cli.process import configured, told
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.server import serve
from services.supervised import end_with_supervisor


@click.group()
def simulate() -> None:
    """Simulated marketplaces."""


@simulate.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8091, show_default=True)
@click.option("--callback-url", help="Where its notifications go.")
@click.option("--snapshot", type=click.Path(dir_okay=False, path_type=Path), help="A file to keep the shop in.")
@click.option("--rate", type=int, help="Calls a second that it takes; without, any number.")
def shopee(port: int, callback_url: str | None, snapshot: Path | None, rate: int | None) -> None:
    """A Shopee with one shop and a seller page."""
    settings = configured()
    configure_logs(level=settings.log_level, form=settings.log_format, part="shopee")
    if settings.supervised:
        end_with_supervisor()
    config = SimulatorConfig(callback_url=callback_url, snapshot=snapshot, rate_per_second=rate)
    with told():
        asyncio.run(serve(config, port=port))
