"""`syncstore local`: the embedded PostgreSQL and Kafka of this folder."""

from __future__ import annotations

import click

from infrastructure.local_stack.stack import LocalStack, PartStatus
from infrastructure.postgres.reach import place_of
from services.cli.process import configured, told


def _stack() -> LocalStack:
    return LocalStack(configured().folder, report=click.echo)


@click.group()
def local() -> None:
    """PostgreSQL and Kafka for one machine, from wheels and jars, in one folder."""


@local.command()
def up() -> None:
    """Start what is not running and print the addresses."""
    settings = configured()
    if not settings.uses_local_stack:
        assert settings.database_url is not None
        click.echo(
            "nothing is started: SYNCSTORE_DATABASE_URL and SYNCSTORE_KAFKA_BOOTSTRAP name servers, which are used"
        )
        click.echo(f"PostgreSQL  {place_of(settings.database_url)}")
        click.echo(f"Kafka       {settings.kafka_bootstrap}")
        return
    with told():
        address = _stack().up()
    click.echo(f"PostgreSQL  {address.database_url}")
    click.echo(f"Kafka       {address.kafka_bootstrap}")


@local.command()
def down() -> None:
    """Stop what this folder's stack has started, and nothing else. The data stays."""
    with told():
        _stack().down()


@local.command()
def status() -> None:
    """Show what runs, where, and how much space the data takes."""
    with told():
        found = _stack().status()
    for name, part in (("PostgreSQL", found.postgres), ("Kafka", found.kafka)):
        click.echo(_line(name, part))


@local.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop both and delete their data. Fetched jars are kept."""
    stack = _stack()
    if not yes:
        click.confirm("Delete all local data of SyncStore?", abort=True)
    with told():
        stack.reset()


def _line(name: str, part: PartStatus) -> str:
    where = f"pid {part.pid}, port {part.port}" if part.pid else f"port {part.port}" if part.port else "never started"
    return f"{name:<11} {part.condition:<8} {where}, {part.data_bytes / 1e6:.0f} MB of data"
