"""What consumers of the topics may rely on: the schemas of events and the document of the topics."""

from __future__ import annotations

from importlib.metadata import version

import click
import msgspec

from infrastructure.kafka.asyncapi import asyncapi_document
from infrastructure.kafka.schemas import event_schemas


@click.command()
@click.option("--asyncapi", is_flag=True, help="The AsyncAPI document of all topics instead.")
@click.argument("type_", metavar="[TYPE]", required=False)
def schemas(asyncapi: bool, type_: str | None) -> None:
    """Print the JSON Schemas of events by type and version; TYPE is as product.created or product.created/1."""
    if asyncapi:
        if type_ is not None:
            raise click.UsageError("--asyncapi describes all types at once; give it or a TYPE")
        return _show(asyncapi_document(version("syncstore")))
    known = event_schemas()
    if type_ is None:
        return _show(known)
    # Without a version: the one that is written today.
    key = type_ if "/" in type_ else next((key for key in known if key.partition("/")[0] == type_), type_)
    if key not in known:
        raise click.ClickException(f"there is no schema {type_}; there are {', '.join(known)}")
    return _show(known[key])


def _show(document: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
