"""The command `syncstore`."""

from __future__ import annotations

import click

from services.cli import (
    catalogue,
    connecting,
    demonstrate,
    local,
    operations,
    parts,
    relaying,
    schemas,
    simulate,
    verifying,
    views,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="syncstore")
def main() -> None:
    """One master catalogue, shown truthfully by every shop."""


for command in (
    demonstrate.demo,
    parts.up,
    parts.api,
    relaying.relay,
    parts.project,
    parts.react,
    parts.push,
    simulate.simulate,
    local.local,
    operations.migrate,
    operations.topics_,
    schemas.schemas,
    operations.keys,
    operations.consumers,
    views.projections,
    verifying.verify,
    catalogue.import_,
    connecting.connect,
    operations.health,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
