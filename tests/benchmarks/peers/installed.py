"""Peers are installed for benchmarks alone; everything else works, and is checked, without them."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from domain.errors import SyncStoreError

PACKAGES: Final = {
    "eventsourcing": "eventsourcing",
    "txoutbox": "txoutbox",
    "faststream-outbox": "faststream_outbox",
}
"""By their names in the package index, the modules that they are imported as."""


class PeerMissing(SyncStoreError):
    """A library to compare with is not installed."""


def peer(module: str) -> Any:
    """The module, untyped: type checks must not depend on what is installed.

    Raises PeerMissing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise PeerMissing(f"{module} is not installed; deploy/setup bench installs the peers of benchmarks") from error


def versions() -> dict[str, str]:
    """Of the peers that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def missing() -> list[str]:
    """A note for the report on each peer that is not there."""
    there = versions()
    return [f"{name} is not installed and was left out; `deploy/setup bench`" for name in PACKAGES if name not in there]
