import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psycopg
import pytest

from infrastructure.local_stack.process import ProcessIdentity, identify
from infrastructure.local_stack.stack import LocalStack, Part, StackAddress
from tests.plugins import local_stack

DATABASE_ONLY = """
from infrastructure.local_stack.stack import Condition

def test_database(postgres_url, session_stack):
    assert postgres_url.startswith("postgresql://")
    assert session_stack.status().kafka.condition == Condition.STOPPED
    print("pid", session_stack.status().postgres.pid, "end")
    assert False, "the session ends with a failure"
"""


def test_the_session_database_answers(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_servers_named_by_the_environment_are_used_instead(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCSTORE_TEST_DATABASE_URL", "postgresql://there/db")
    monkeypatch.setenv("SYNCSTORE_TEST_KAFKA_BOOTSTRAP", "there:9092")

    assert local_stack._address(request, *Part) == StackAddress("postgresql://there/db", "there:9092")


def test_a_database_only_run_starts_no_kafka_and_stops_the_database_after_a_failure(tmp_path: Path) -> None:
    test_file = tmp_path / "test_database.py"
    test_file.write_text(DATABASE_ONLY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.plugins.local_stack",
        "-p",
        "no:cacheprovider",
        str(test_file),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYNCSTORE_TEST_")}

    ended = subprocess.run(
        [*command, f"--rootdir={tmp_path}"], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )

    assert "the session ends with a failure" in ended.stdout, ended.stdout + ended.stderr
    pid = int(ended.stdout.partition("\npid ")[2].partition(" end")[0])
    assert identify(pid) is None


def test_the_servers_of_a_killed_run_are_stopped_by_the_next_one() -> None:
    folder = local_stack.owned_folder()
    stack = LocalStack(folder, durable=False)
    stack.up([Part.POSTGRES])
    pid = stack.status().postgres.pid
    (folder / local_stack.OWNER).write_bytes(msgspec.json.encode(ProcessIdentity(pid=os.getpid(), started="long ago")))

    local_stack.dispose_abandoned()

    assert pid is not None
    assert identify(pid) is None
    assert not folder.exists()
