"""`syncstore local` where it has nothing to do, or cannot do it. What it does is told by the tests of the stack."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infrastructure.local_stack.jars import KAFKA_VERSION
from services.cli.main import main

OWN = {
    "SYNCSTORE_DATABASE_URL": "postgresql://sari:rahasia@db.example:6432/toko",
    "SYNCSTORE_KAFKA_BOOTSTRAP": "kafka.example:9092",
    "SYNCSTORE_ENCRYPTION_KEYS": f"k1:{base64.b64encode(bytes(32)).decode()}",
}
COMMANDS = ["up", "down", "status", "reset --yes"]


def local(words: str, folder: Path, **variables: str) -> Result:
    environment = {"SYNCSTORE_LOCAL_FOLDER": str(folder), **variables}
    return CliRunner().invoke(main, ["local", *words.split()], env=environment, catch_exceptions=False)


def test_nothing_is_started_where_the_settings_name_servers(tmp_path: Path) -> None:
    told = local("up", tmp_path / "stack", **OWN)
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        "nothing is started: SYNCSTORE_DATABASE_URL and SYNCSTORE_KAFKA_BOOTSTRAP name servers, which are used",
        "PostgreSQL  db.example:6432/toko",
        "Kafka       kafka.example:9092",
    ]
    assert not (tmp_path / "stack").exists()


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("SYNCSTORE_DATABSE_URL", "did you mean SYNCSTORE_DATABASE_URL?"),
        ("SYNCSTORE_DATABASE_URL", "SYNCSTORE_KAFKA_BOOTSTRAP is missing"),
    ],
)
def test_wrong_settings_are_named_in_a_line(words: str, variable: str, named: str, tmp_path: Path) -> None:
    told = local(words, tmp_path, **{variable: "postgresql://db/toko"})
    assert told.exit_code == 1
    assert named in told.stderr
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("words", COMMANDS)
def test_a_folder_that_cannot_be_used_is_named_in_a_line(words: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = local(words, tmp_path / "file")
    assert told.exit_code == 1
    assert str(tmp_path / "file") in told.stderr
    assert told.stderr.count("\n") == 1


def test_damaged_jars_are_named_with_the_remedy(stack_folder: Path) -> None:
    jars = stack_folder / "jars" / f"kafka-{KAFKA_VERSION}"
    jars.mkdir(parents=True)
    (jars / "stranger.jar").touch()
    told = local("up", stack_folder)
    assert told.exit_code == 1
    assert "stranger.jar does not belong to Kafka" in told.stderr
    assert f"Delete {jars}" in told.stderr
