import re
from pathlib import Path

import psycopg
import pytest

from infrastructure.postgres.statements import load

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path.relative_to(ROOT)
    for part in ("infrastructure", "projections", "relay", "services", "tests/benchmarks")
    for path in (ROOT / part).rglob("*.sql")
    if "-- name: " in path.read_text(encoding="utf-8")
)
PLANNED = re.compile(r"(select|insert|update|delete|merge|with)\b", re.IGNORECASE)


def test_files_are_found() -> None:
    assert Path("infrastructure/event_store/append.sql") in FILES
    assert len(FILES) > 10


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_block_has_a_name_a_comment_and_a_user(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    blocks = load(ROOT / path)
    commented = re.findall(r"^-- name: (\w+)\n-- \S", text, re.MULTILINE)
    assert set(commented) == set(blocks)
    folders = {path.parent, path.parent.parent} - {Path()}
    code = "\n".join(file.read_text(encoding="utf-8") for folder in folders for file in (ROOT / folder).rglob("*.py"))
    assert [name for name in blocks if f'"{name}"' not in code] == []


def test_every_statement_is_planned_by_a_real_server(database_url: str) -> None:
    planned = 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        for path in FILES:
            if path.parts[0] != "infrastructure":
                continue  # views' tables are made while the system runs
            for name, statement in load(ROOT / path).items():
                if PLANNED.match(statement) and "{" not in statement:
                    assert explained(connection, statement), f"{path}: {name}"
                    planned += 1
    assert planned > 30


def explained(connection: psycopg.Connection, statement: str) -> str:
    """The plan of a statement whose parameters are not known."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)[sbt]", statement)))
    numbered = re.sub(r"%\((\w+)\)[sbt]", lambda match: f"${names.index(match[1]) + 1}", statement).replace("%%", "%")
    rows = connection.execute(f"explain (generic_plan) {numbered}".encode()).fetchall()
    return "\n".join(str(row[0]) for row in rows)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("-- name: one\n-- Why.\nselect 1;\n-- name: one\n-- Why.\nselect 2;\n", "'one' is there twice"),
        ("-- name: one\n-- Only a comment.\n", "'one' is empty"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "wrong.sql").write_text(text)
    with pytest.raises(ValueError, match=rf"wrong\.sql: the block {complaint}"):
        load(tmp_path / "wrong.sql")


def test_comments_are_left_out_and_parameters_kept(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: one\n-- 100 % of it.\nselect 1\n  -- %(not_one)s\nwhere %(x)s;\n")
    assert load(tmp_path / "a.sql") == {"one": "select 1\nwhere %(x)s"}
