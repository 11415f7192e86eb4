"""What operators ask of an installation: schema, topics, keys, read models, parked records."""

from __future__ import annotations

import click
import httpx

from infrastructure.kafka import parking, topics
from infrastructure.postgres.migrate import migrate as apply_migrations
from infrastructure.postgres.pool import APP, WORKER, open_pool
from infrastructure.security.api_keys import ApiKeys, Scope
from infrastructure.security.local_key import new_key
from infrastructure.settings import Settings
from services import bootstrap
from services.cli.process import ask, configured, ready, ready_database
from services.servers import kafka_of


def _url(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url


@click.command()
def migrate() -> None:
    """Bring the database to this version's schema."""
    applied = ask(apply_migrations(_url(ready())))
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("the schema is up to date")


@click.command("topics")
@click.option("--partitions", default=topics.PARTITIONS, show_default=True)
@click.option("--replication-factor", default=1, show_default=True)
def topics_(partitions: int, replication_factor: int) -> None:
    """Create missing topics and say how the others differ from what is declared."""
    reports = ask(
        topics.create_or_check(kafka_of(ready()), partitions=partitions, replication_factor=replication_factor)
    )
    for report in reports:
        click.echo(f"{report.topic:<26} {report.condition:<12} {report.partitions} partitions")
        for remark in report.remarks:
            click.echo(f"    {remark}")
    if any(report.remarks for report in reports):
        raise SystemExit(3)


@click.group()
def keys() -> None:
    """API keys and encryption keys."""


@keys.command("create")
@click.option("--org", "org_id", required=True, help="Organisation the key is for.")
@click.option("--name", required=True, help="What it is for, for people.")
@click.option("--scopes", required=True, help=f"Separated by commas: {', '.join(scope.value for scope in Scope)}.")
def create_key(org_id: str, name: str, scopes: str) -> None:
    """Make an API key and show it, once."""
    known = {scope.value: scope for scope in Scope}
    asked = [scope.strip() for scope in scopes.split(",")]
    if strange := [scope for scope in asked if scope not in known]:
        raise click.ClickException(f"{', '.join(strange)}: no such scope; there are {', '.join(known)}")

    async def issue(url: str) -> str:
        async with open_pool(url, role=APP, name="syncstore-keys") as pool:
            return await ApiKeys(pool).issue(org_id, name, [known[scope] for scope in asked])

    click.echo(ask(issue(_url(ready_database()))))


@keys.command("list")
@click.option("--org", "org_id", required=True)
def list_keys(org_id: str) -> None:
    """The keys of an organisation, without their secrets."""

    async def summaries(url: str) -> list[str]:
        async with open_pool(url, role=APP, name="syncstore-keys") as pool:
            return [str(summary) for summary in await ApiKeys(pool).summaries(org_id)]

    for line in ask(summaries(_url(ready_database()))):
        click.echo(line)


@keys.command("revoke")
@click.option("--org", "org_id", required=True)
@click.argument("key_id")
def revoke_key(org_id: str, key_id: str) -> None:
    """Refuse a key from now on; processes notice within seconds."""

    async def revoke(url: str) -> bool:
        async with open_pool(url, role=APP, name="syncstore-keys") as pool:
            return await ApiKeys(pool).revoke(org_id, key_id)

    if not ask(revoke(_url(ready_database()))):
        raise click.ClickException(f"{org_id} has no key {key_id} in force; see: syncstore keys list --org {org_id}")
    click.echo(f"{key_id} is revoked")


@keys.command("new-encryption-key")
@click.argument("name", default="k1")
def new_encryption_key(name: str) -> None:
    """An entry for SYNCSTORE_ENCRYPTION_KEYS."""
    click.echo(new_key(name))


@click.command()
@click.option("--url", default=None, help="Of the API; default: where SYNCSTORE_API_HOST and _PORT say.")
def health(url: str | None) -> None:
    """Ask the API of this machine whether it can do its work; the exit code is 0 when it can."""
    settings = configured()
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host  # noqa: S104  # only compared
    address = url or f"http://{host}:{settings.api_port}"
    try:
        answer = httpx.get(f"{address}/health/ready", timeout=2.5)
    except httpx.HTTPError as error:
        raise click.ClickException(f"{address} does not answer: {type(error).__name__}") from error
    click.echo(answer.text)
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(1)


@click.group()
def consumers() -> None:
    """Records that consumers could not apply."""


@consumers.command("parked")
def parked() -> None:
    """Keys that wait, per consumer, with the reason."""

    async def waiting(url: str) -> list[str]:
        async with open_pool(url, role=WORKER, name="syncstore-consumers") as pool:
            return [str(key) for key in await parking.list_parked(pool)]

    lines = ask(waiting(_url(ready_database())))
    for line in lines:
        click.echo(line)
    if not lines:
        click.echo("nothing is parked")


@consumers.command("release")
@click.argument("consumer")
@click.argument("key")
def release(consumer: str, key: str) -> None:
    """Apply a key's parked records in order; later ones then flow again."""
    settings = ready_database()

    async def released() -> int:
        async with (
            open_pool(_url(settings), role=WORKER, name="syncstore-consumers") as pool,
            bootstrap.open_effects(settings, pool) as effects,
        ):
            effect = effects.get(consumer)
            if effect is None:
                raise click.ClickException(f"there is no consumer {consumer!r}; there are {', '.join(effects)}")
            return await parking.release(pool, effect, key)

    click.echo(f"{ask(released())} records applied")


@consumers.command("drop")
@click.argument("consumer")
@click.argument("key")
@click.option("--reason", required=True, help="Kept with the record.")
@click.option("--by", default="operator", show_default=True)
def drop(consumer: str, key: str, reason: str, by: str) -> None:
    """Give up the first parked record of a key; those after it wait to be released."""

    async def given_up(url: str) -> int:
        async with open_pool(url, role=WORKER, name="syncstore-consumers") as pool:
            return await parking.drop(pool, consumer, key, because=reason, by=by)

    click.echo(f"{ask(given_up(_url(ready_database())))} records dropped")
