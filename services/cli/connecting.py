"""`syncstore connect`: a shop of one's own, authorised by its seller."""

from __future__ import annotations

import click

from domain.connection.commands import OpenConnection
from domain.messages import CommandContext
from domain.values import Platform
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.platforms.connector import PlatformCallFailed
from infrastructure.platforms.registry import Access
from infrastructure.postgres.clock import open_clock
from infrastructure.postgres.pool import APP, open_pool
from infrastructure.settings import Settings
from services.bootstrap import open_shops
from services.cli.process import ask, ready_database
from services.usecases.connections import Connections


@click.group()
def connect() -> None:
    """Connect a shop."""


@connect.command()
@click.option("--org", "org_id", required=True, help="Organisation whose shop it is.")
@click.option("--id", "connection_id", required=True, help="What the connection is called here, such as SHP-ID-01.")
@click.option("--label", required=True, help="What people call the shop.")
@click.option("--shop-id", required=True)
@click.option("--partner-id", required=True)
@click.option("--partner-key", prompt=True, hide_input=True, help="Asked for when not given.")
@click.option("--push-key", default=None, help="The separate key for notifications, if the console shows one.")
@click.option("--code", required=True, help="From the address that Shopee redirected the seller to; lives 10 minutes.")
@click.option("--host", default="https://partner.shopeemobile.com", show_default=True)
@click.option("--rate", default=5.0, show_default=True, help="Calls a second.")
@click.option(
    "--category",
    "categories",
    multiple=True,
    help="'our category=Shopee category id', repeated; '=ID' for every category not named.",
)
def shopee(
    org_id: str,
    connection_id: str,
    label: str,
    shop_id: str,
    partner_id: str,
    partner_key: str,
    push_key: str | None,
    code: str,
    host: str,
    rate: float,
    categories: tuple[str, ...],
) -> None:
    """Redeem a Shopee authorisation and open the connection; running it again replaces the keys."""
    for given in categories:
        if "=" not in given:
            raise click.ClickException(f"--category {given!r} is not like 'Batik & Fashion=100017'")
    access = Access(
        platform=Platform.SHOPEE, host=host, app_id=partner_id, app_key=partner_key, shop_id=shop_id, rate=rate
    )
    command = OpenConnection(
        connection_id=connection_id,
        platform=Platform.SHOPEE,
        shop_id=shop_id,
        label=label,
        categories=tuple((ours, theirs) for ours, _, theirs in (given.rpartition("=") for given in categories)),
    )
    try:
        ask(_connect(ready_database(), org_id, command, access, code=code, push_key=push_key))
    except PlatformCallFailed as failed:
        error = failed.error
        raise click.ClickException(f"Shopee refuses: {error.code}: {error.message}") from failed
    click.echo(f"{connection_id} is connected; its listings are derived and pushed from now on")


async def _connect(
    settings: Settings, org_id: str, command: OpenConnection, access: Access, *, code: str, push_key: str | None
) -> None:
    assert settings.database_url is not None
    identities = TimeSortedIdentities()
    async with (
        open_pool(settings.database_url, role=APP, name="syncstore-connect") as pool,
        open_clock(pool) as clock,
        open_shops(settings, pool, clock) as shops,
    ):
        tokens = await shops.redeem(access, code)
        context = CommandContext(org_id=org_id, actor="cli:connect", now=clock.now(), correlation_id=identities.new())
        connections = Connections(PostgresEventStore(pool), identities)
        known = await PostgresEventStore(pool).read_stream(org_id, f"connection-{command.connection_id}")
        if not known:
            await connections.handle(context, command.connection_id, command)
        elif (shop := (await connections.get(org_id, command.connection_id))[1].shop_id) != command.shop_id:
            raise click.ClickException(f"{command.connection_id} is for shop {shop}; choose another id for this one")
        # Last: keys of a shop that may not be connected are never kept.
        await shops.authorise(org_id, command.connection_id, access, tokens, push_key=push_key)
