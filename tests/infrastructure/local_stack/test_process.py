import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infrastructure.local_stack.errors import ServerDiedError
from infrastructure.local_stack.process import (
    ProcessIdentity,
    identify,
    identify_by_pid_file,
    is_alive,
    spawn,
    stop,
    tail,
    wait_gone,
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come about within 10 seconds"
        time.sleep(0.02)


def spawn_in(folder: Path, *command: str) -> ProcessIdentity:
    return spawn(
        command, log=folder / "log", pid_file=folder / "pid", working_directory=folder, locale="C", account=None
    )


def test_a_pid_with_another_start_time_is_another_process(sleeper: subprocess.Popen[bytes]) -> None:
    process = identify(sleeper.pid)
    assert process is not None

    assert is_alive(process)
    assert not is_alive(ProcessIdentity(pid=process.pid, started="earlier"))


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    process = identify(sleeper.pid)
    assert process is not None
    sleeper.send_signal(signal.SIGKILL)

    assert wait_gone(process, 10)
    assert sleeper.returncode is None, "it has not been waited for, so it is a zombie"


def test_a_spawned_process_leads_no_life_of_ours(tmp_path: Path) -> None:
    process = spawn_in(tmp_path, "/bin/sh", "-c", "echo started; exec sleep 60")

    wait_for(lambda: (tmp_path / "log").read_text() == "started\n")

    assert os.getsid(process.pid) != os.getsid(0)
    assert identify_by_pid_file(tmp_path / "pid", "sleep 60") == process
    assert identify_by_pid_file(tmp_path / "pid", "another program") is None

    stop(process, politely=signal.SIGTERM, forcibly=signal.SIGKILL, patience=10)
    assert not is_alive(process)
    assert identify_by_pid_file(tmp_path / "pid", "sleep 60") is None


def test_a_process_deaf_to_the_polite_signal_is_stopped_forcibly(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = spawn_in(tmp_path, sys.executable, "-c", deaf)
    wait_for(lambda: (tmp_path / "log").read_text() == "1\n")

    stop(process, politely=signal.SIGTERM, forcibly=signal.SIGKILL, patience=0.3)

    assert not is_alive(process)


def test_the_log_of_the_last_run_is_kept(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of the last run")
    process = spawn_in(tmp_path, "/bin/sleep", "60")
    stop(process, politely=signal.SIGTERM, forcibly=signal.SIGKILL, patience=10)

    assert (tmp_path / "log.previous").read_text() == "of the last run"


def test_the_log_says_why_a_program_did_not_start(tmp_path: Path) -> None:
    with suppress(ServerDiedError):  # raised unless it was seen in the moment before it ended
        assert wait_gone(spawn_in(tmp_path, str(tmp_path / "missing")), 10)

    wait_for(lambda: "not found" in tail(tmp_path / "log"))


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in range(100)))

    assert tail(tmp_path / "log", lines=2).splitlines()[1:] == ["  98", "  99"]
    assert "cannot be read" in tail(tmp_path / "absent")
