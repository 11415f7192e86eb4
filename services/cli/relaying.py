"""`syncstore relay`: the process, and what an operator asks about the outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from infrastructure.outbox import operations
from infrastructure.outbox.leases import Leases
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from services import bootstrap
from services.cli.process import ask, ready, run_part

T = TypeVar("T")


@click.group(invoke_without_command=True)
@click.pass_context
def relay(context: click.Context) -> None:
    """Bring events to Kafka (without a subcommand), or ask about those that wait."""
    if context.invoked_subcommand is None:
        run_part("relay", bootstrap.run_relay)


def _with_pool(question: Callable[[Pool], Awaitable[T]]) -> T:
    settings = ready()
    assert settings.database_url is not None
    url = settings.database_url

    async def asked() -> T:
        async with open_pool(url, role=WORKER, name="syncstore-relay-ask") as pool:
            return await question(pool)

    answer: T = ask(asked())
    return answer


@relay.command()
def status() -> None:
    """How many events wait, for how long, and who holds which share of the shards."""
    found = _with_pool(operations.statistics)
    click.echo(f"waiting   {found.depth} events, the oldest for {found.oldest_age_seconds:.1f} s")
    click.echo(f"parked    {found.parked} events")
    owners = _with_pool(lambda pool: Leases(pool, "").owners())
    for name, shards, until in owners:
        click.echo(f"{name}   {shards} shards, lease until {until:%H:%M:%S} UTC")
    if not owners:
        click.echo("no relay is running; start one with: syncstore relay")


@relay.command()
def parked() -> None:
    """Keys that wait for you, with the reason."""
    keys = _with_pool(operations.parked)
    for key in keys:
        click.echo(
            f"{key.key}  {key.events} events from position {key.first_position}, since {key.since:%Y-%m-%d %H:%M:%S} "
            f"UTC: {key.reason or 'behind a refused event'}"
        )
    if not keys:
        click.echo("nothing is parked")


@relay.command()
@click.argument("key")
def release(key: str) -> None:
    """Try a parked key again, in order."""
    click.echo(f"{_with_pool(lambda pool: operations.release(pool, key))} events are on their way again")


@relay.command()
@click.argument("key")
@click.option("--reason", required=True, help="Kept with the event.")
@click.option("--by", default="operator", show_default=True)
def drop(key: str, reason: str, by: str) -> None:
    """Give up the refused event of a key; those behind it flow again. Consumers will see the gap."""
    freed = _with_pool(lambda pool: operations.drop(pool, key, reason=reason, by=by))
    click.echo(f"given up; {freed} events behind it are on their way again")
