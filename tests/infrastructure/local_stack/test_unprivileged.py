import os
import pwd
from pathlib import Path

import pytest

from infrastructure.local_stack import unprivileged
from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.process import Account
from infrastructure.local_stack.unprivileged import account_for, make_reachable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


@as_root
def test_root_starts_as_a_user_without_rights(tmp_path: Path) -> None:
    account = account_for(tmp_path / "absent")

    assert account is not None
    assert account.name in {unprivileged.USER, unprivileged.FALLBACK}
    assert account.uid != 0


@as_root
def test_existing_data_keep_their_owner(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)

    assert account_for(tmp_path) == Account(name="nobody", uid=nobody.pw_uid, gid=nobody.pw_gid)


def test_an_ordinary_user_starts_as_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid)

    if tmp_path.stat().st_uid != 0:
        assert account_for(tmp_path) is None
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(LocalStackError, match=r"belongs to user .*Run as root, or give it back with: chown"):
        account_for(tmp_path)


@as_root
def test_a_machine_without_any_such_user_is_told_what_to_create(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "_lookup", lambda _: None)
    monkeypatch.setattr(unprivileged, "_create", lambda: None)

    with pytest.raises(LocalStackError, match=r"refuses to run as root.*Create a system user named `syncstore-pg`"):
        account_for(tmp_path / "absent")


@as_root
def test_folders_above_are_opened_for_passing_through_and_no_further(stack_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    account = Account(name="nobody", uid=nobody.pw_uid, gid=nobody.pw_gid)
    home = stack_folder / "home"
    programs = home / "programs"
    programs.mkdir(parents=True)
    (programs / "initdb").touch(mode=0o700)
    programs.chmod(0o700)
    home.chmod(0o700)
    reports: list[str] = []

    make_reachable([programs], account, reports.append)
    told = len(reports)
    make_reachable([programs], account, reports.append)

    assert home.stat().st_mode & 0o777 == 0o701
    assert (programs / "initdb").stat().st_mode & 0o777 == 0o705
    assert any(f"let other users pass through {home}," in line for line in reports)
    assert len(reports) == told
