"""Server processes that outlive their starter: started detached, known by pid and start time, stopped by signal."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from infrastructure.local_stack.errors import LocalStackError, ServerDiedError

# The outer shell leaves at once, so the server belongs to init and never lingers as a zombie of the caller; the inner
# one writes its own pid down before it becomes the server, so there is no moment with a server nobody knows.
_SPAWN = """log=$1; shift
/bin/sh -c 'echo $$ >"$0" && exec "$@"' "$@" </dev/null >"$log" 2>&1 &
echo $!"""


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A pid alone may have been given to another process since; together with its start time it may not."""

    pid: int
    started: str


class Account(msgspec.Struct, frozen=True):
    """A system user that a process runs as instead of root."""

    name: str
    uid: int
    gid: int


def identify(pid: int) -> ProcessIdentity | None:
    """The living process with this pid; None when there is none or only its zombie is left."""
    if Path("/proc/self/stat").exists():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()  # after the name, which may hold blanks: state is 0, start time 19
        if fields[0] in {"Z", "X"}:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return ProcessIdentity(pid=pid, started=f"{boot}:{fields[19]}")
    shown = _ps(pid, "stat=,lstart=")
    state, _, started = shown.partition(" ")
    return ProcessIdentity(pid=pid, started=started.strip()) if started and "Z" not in state else None


def is_alive(process: ProcessIdentity) -> bool:
    return identify(process.pid) == process


def identify_by_pid_file(pid_file: Path, marker: str) -> ProcessIdentity | None:
    """The process a pid file names, provided that it is alive and its command line holds the marker."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    process = identify(pid)
    return process if process is not None and marker in _command_line(pid) else None


def spawn(
    command: Sequence[str], *, log: Path, pid_file: Path, working_directory: Path, locale: str, account: Account | None
) -> ProcessIdentity:
    """Start a server in a session of its own, its output in a new log (the last one is kept as `*.previous`)."""
    if log.exists():
        log.replace(log.with_name(f"{log.name}.previous"))
    arguments = ["/bin/sh", "-c", _SPAWN, "spawn", str(log), str(pid_file), *command]
    shell = run(arguments, account=account, working_directory=working_directory, locale=locale, detached=True)
    if shell.returncode != 0:
        raise LocalStackError(f"{command[0]} could not be started: {shell.stderr.strip()}")
    process = identify(int(shell.stdout))
    if process is None:
        raise ServerDiedError(f"{command[0]} ended as soon as it was started. {tail(log)}")
    return process


def run(
    command: Sequence[str],
    *,
    account: Account | None,
    working_directory: Path,
    locale: str,
    detached: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run to the end with a small fixed environment, so that the caller's PG* or JAVA_* variables change nothing."""
    environment: Mapping[str, str] = {"PATH": os.defpath, "LC_ALL": locale, "TZ": "UTC"}
    return subprocess.run(  # noqa: S603 -- the commands are ours
        list(command),
        cwd=working_directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=detached,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def stop(process: ProcessIdentity, *, politely: signal.Signals, forcibly: signal.Signals, patience: float) -> None:
    """Signal and wait; after `patience` seconds signal harder. Returns when the process is gone."""
    for sent, seconds in ((politely, patience), (forcibly, 10.0), (signal.SIGKILL, 10.0)):
        if not is_alive(process):
            return
        try:
            os.kill(process.pid, sent)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise LocalStackError(
                f"Process {process.pid} belongs to another user and cannot be stopped. Use that user or root."
            ) from error
        if wait_gone(process, seconds):
            return
    raise LocalStackError(f"Process {process.pid} does not stop, not even when killed. Look at it with ps.")


def wait_gone(process: ProcessIdentity, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The end of a server's log, for error messages."""
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"(its log {log} cannot be read: {error.strerror})"
    return "\n".join([f"The end of {log}:", *(f"  {line}" for line in text.splitlines()[-lines:])])


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return _ps(pid, "command=")


def _ps(pid: int, columns: str) -> str:
    program = shutil.which("ps")
    if program is None:
        raise LocalStackError("Neither /proc nor the program `ps` tells about processes here. Install `ps` (procps).")
    shown = subprocess.run(  # noqa: S603 -- a fixed command
        [program, "-o", columns, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()
