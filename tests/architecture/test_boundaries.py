from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "infrastructure", "projections", "relay", "services")


def modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def test_the_dependency_rule_holds() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }
    assert readers == {"infrastructure/settings.py"}


def test_only_the_composition_root_opens_pools_for_processes() -> None:
    """Operations of the command line and the demonstration open one for a single question."""
    openers = {
        path.relative_to(ROOT).parts[:2]
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open_pool"
    }
    assert openers == {("services", "bootstrap.py"), ("services", "cli"), ("services", "demo")}


@pytest.mark.parametrize("package", PACKAGES)
def test_our_top_level_names_belong_to_us_alone(package: str) -> None:
    assert set(packages_distributions().get(package, ["syncstore"])) == {"syncstore"}


def test_the_tests_are_a_package_so_that_they_do_not_shadow_ours() -> None:
    assert (ROOT / "tests" / "__init__.py").exists()


def test_packages_hold_a_docstring_and_nothing_else() -> None:
    talkative = [
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if path.name == "__init__.py"
        and [node for node in ast.parse(path.read_text()).body if not isinstance(node, ast.Expr)]
    ]
    assert talkative == []


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [path for path in modules() if path.stem in {"utils", "helpers", "common", "base", "manager"}] == []


def test_sql_stands_in_sql_files() -> None:
    """A statement of one line that sets or asks one thing is allowed; everything longer has a name and a file."""
    verbs = ("insert into", "delete from", "with ", "update ")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip().lower().startswith(verbs)
        and " values " in node.value.lower()
        and path.name != "migrate.py"
    ]
    assert found == []
