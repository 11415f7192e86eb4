"""A second system in one folder is refused, and the folder is free again however the first has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.main import main
from services.cli.single import RunsAlready, only_one

HOLDS = """
import sys
from pathlib import Path
from services.cli.single import only_one

with only_one(Path(sys.argv[1]), "syncstore up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("words", [("up",), ("demo",)])
def test_a_second_system_beside_one_is_refused_in_one_line_that_says_what_runs_where(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path / "run.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        environment = {
            "SYNCSTORE_LOCAL_FOLDER": str(tmp_path),
            "SYNCSTORE_DATABASE_URL": None,
            "SYNCSTORE_KAFKA_BOOTSTRAP": None,
        }
        told = CliRunner().invoke(main, words, env=environment, catch_exceptions=False)
        assert told.exit_code == 1
        assert told.output == (
            f"Error: SyncStore is running already in {tmp_path}: syncstore up, process {first.pid}. "
            "Stop it first, or give this one a folder of its own with SYNCSTORE_LOCAL_FOLDER\n"
        )
        first.kill()
        first.wait(60)
        with only_one(tmp_path / "run.lock", "syncstore demo"):
            assert (tmp_path / "run.lock").read_text().startswith("syncstore demo, process ")


def test_a_check_beside_a_check_is_refused(tmp_path: Path) -> None:
    environment = {
        "SYNCSTORE_LOCAL_FOLDER": str(tmp_path),
        "SYNCSTORE_DATABASE_URL": None,
        "SYNCSTORE_KAFKA_BOOTSTRAP": None,
    }
    with only_one(tmp_path / "check" / "run.lock", "syncstore demo --check"):
        told = CliRunner().invoke(main, ["demo", "--check"], env=environment, catch_exceptions=False)
    assert told.exit_code == 1
    assert "SyncStore is running already" in told.output


def test_what_fails_leaves_the_folder_free(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), only_one(tmp_path / "run.lock", "syncstore up"):
        raise ZeroDivisionError
    with (
        only_one(tmp_path / "run.lock", "syncstore up"),
        pytest.raises(RunsAlready, match="syncstore up, process"),
        only_one(tmp_path / "run.lock", "syncstore demo"),
    ):
        raise AssertionError("two at once")
