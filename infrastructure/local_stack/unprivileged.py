"""PostgreSQL refuses to run as root. Started by root, it runs as a system user without rights, who must then be able to
reach the program and the data through every folder above them.
"""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.process import Account, run
from infrastructure.local_stack.state import Report

USER = "syncstore-pg"
FALLBACK = "nobody"


def account_for(data: Path) -> Account | None:
    """The user to run as: None for ourselves, unless we are root. Existing data keep their owner."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            raise LocalStackError(
                f"{data} belongs to user {owner}, probably because it was once started by root. "
                f"Run as root, or give it back with: chown -R {os.geteuid()} {data.parent}"
            )
        return None
    entry = pwd.getpwuid(owner) if owner else _lookup(USER) or _create() or _lookup(FALLBACK)
    if entry is None:
        raise LocalStackError(
            f"PostgreSQL refuses to run as root, and this machine has neither `useradd` nor a user `{FALLBACK}`. "
            f"Create a system user named `{USER}`, or run this as an ordinary user."
        )
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def make_reachable(paths: Iterable[Path], account: Account, report: Report) -> None:
    """Let the account read these files and folders: search right on the folders above, read right on what is below."""
    for path in paths:
        if _can_read(path, account):
            continue
        for parent in reversed(path.resolve().parents):
            if not _can_read(parent, account, search_only=True):
                parent.chmod(stat.S_IMODE(parent.stat().st_mode) | stat.S_IXOTH)
                report(f"let other users pass through {parent}, so that {account.name} reaches {path.name}")
        if not _can_read(path, account):
            for entry in (path, *path.rglob("*")):
                if not entry.is_symlink():
                    mode = stat.S_IMODE(entry.stat().st_mode)
                    entry.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))
        if not _can_read(path, account):
            raise LocalStackError(
                f"{path} cannot be read by `{account.name}`, the user PostgreSQL runs as when root starts it. "
                "Move it to a folder that every user can pass through, or run this as an ordinary user."
            )


def _can_read(path: Path, account: Account, *, search_only: bool = False) -> bool:
    tests = 'test -x "$0"' if search_only or path.is_dir() else 'test -r "$0"'
    if path.is_dir() and not search_only:
        tests += ' && test -r "$0"'
    shell = ["/bin/sh", "-c", tests, str(path)]
    return run(shell, account=account, working_directory=Path("/"), locale="C").returncode == 0


def _lookup(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd | None:
    """A system user without home and shell. None when it cannot be made, for there is a fallback."""
    useradd = shutil.which("useradd", path=f"{os.defpath}:/usr/sbin:/sbin")
    if useradd is not None:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", USER]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 -- a fixed command
    return _lookup(USER)
