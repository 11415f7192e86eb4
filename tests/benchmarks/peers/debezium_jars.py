"""The jars of Debezium and Kafka Connect, as they were tested: fetched once, each checked by its sha256."""

from __future__ import annotations

import hashlib
import shutil
from functools import cache
from pathlib import Path
from typing import Final

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.java import find_java
from tests.benchmarks.peers.installed import PeerMissing

DEBEZIUM: Final = "3.4.0.Final"
CONNECT: Final = "4.1.1"
ENDPOINT: Final = "+".join(
    [
        f"org.apache.kafka:connect-runtime:{CONNECT}",
        f"org.apache.kafka:connect-json:{CONNECT}",
        f"io.debezium:debezium-connector-postgres:{DEBEZIUM}",
        "org.slf4j:slf4j-simple:1.7.36",
    ]
)
PINS: Final = Path(__file__).with_name("debezium_jars.sha256")
FOLDER: Final = Path(__file__).parents[3] / ".local" / "jars-debezium"


def class_path() -> str:
    """Of jars that are what their pins say.

    Raises PeerMissing.
    """
    folder = FOLDER / DEBEZIUM
    if not folder.exists():
        _fetch(folder)
    pins = {name: digest for digest, name in (line.split() for line in PINS.read_text().splitlines())}
    jars = {jar.name: jar for jar in folder.glob("*.jar")}
    for name in sorted(pins.keys() | jars.keys()):
        if name not in pins or name not in jars or _digest(jars[name]) != pins[name]:
            raise PeerMissing(f"{folder / name} is not as pinned in {PINS.name}; delete {folder} to fetch it again")
    return ":".join(str(jar) for _, jar in sorted(jars.items()))


def java() -> Path:
    """Raises PeerMissing."""
    try:
        return find_java(None)
    except LocalStackError as error:
        raise PeerMissing(str(error)) from error


@cache
def why_missing() -> str | None:
    """A note for the report, when Debezium cannot take part."""
    try:
        java()
        class_path()
    except PeerMissing as error:
        return f"Debezium was left out: {error}"
    return None


def _fetch(folder: Path) -> None:
    try:
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 -- optional, and slow to import
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PeerMissing("the package that fetches its jars (jgo) is not installed") from error
    scratch = folder.with_name("resolving")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        context = MavenContext(repo_cache=scratch / "repository")
        EnvironmentBuilder(context=context, cache_dir=scratch, link_strategy=LinkStrategy.AUTO).from_endpoint(ENDPOINT)
        flat = scratch / "flat"
        flat.mkdir()
        for jar in (scratch / "envs").rglob("*.jar"):
            shutil.copyfile(jar, flat / jar.name)
        flat.replace(folder)
    except Exception as error:  # the resolver raises whatever its HTTP client and parsers raise
        why = str(error).partition("\n")[0] or "no reason given"
        raise PeerMissing(f"its jars could not be fetched ({type(error).__name__}: {why})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
