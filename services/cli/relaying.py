"""`syncstore relay`: the process, and what an operator asks about the outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infrastructure.kafka.topics import BY_CATEGORY
from infrastructure.outbox import operations
from infrastructure.outbox.leases import Leases
from infrastructure.outbox.published import Selection
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from relay.republish import republish as run_republication
from services import bootstrap
from services.cli.process import ask, ready_database, run_part
from services.servers import kafka_of

T = TypeVar("T")


@click.group(invoke_without_command=True)
@click.pass_context
def relay(context: click.Context) -> None:
    """Bring events to Kafka (without a subcommand), or ask about those that wait."""
    if context.invoked_subcommand is None:
        run_part("relay", bootstrap.run_relay)


def _with_pool(question: Callable[[Pool], Awaitable[T]]) -> T:
    settings = ready_database()
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


@relay.command()
@click.option("--from-position", type=click.IntRange(min=0), help="Events from this position on; 0 for all.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Recorded then (UTC) or later.")
@click.option("--product", "key", help="Events of one product: itself, its stock, its listings.")
@click.option(
    "--topic", "topics", multiple=True, type=click.Choice(list(BY_CATEGORY.values())), help="Into these only."
)
def republish(from_position: int | None, since: datetime | None, key: str | None, topics: tuple[str, ...]) -> None:
    """Put published events into their topics again, marked as replayed, in order.

    For a topic that was deleted: stop the relays, `syncstore topics`, republish, start the relays.
    """
    if from_position is None and since is None and key is None:
        raise click.UsageError("say which events: --from-position, --since or --product (--from-position 0 for all)")
    selection = Selection(
        from_position=from_position,
        since=None if since is None else since.replace(tzinfo=UTC),
        key=key,
        categories=tuple(category for category, topic in BY_CATEGORY.items() if topic in topics) or None,
    )
    kafka = kafka_of(ready_database())
    columns = (TextColumn("events"), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("events", total=None)
        sent = _with_pool(
            lambda pool: run_republication(
                pool, kafka, selection, lambda done, total: bar.update(task, completed=done, total=total)
            )
        )
    click.echo(f"{sent} events are in their topics again")
