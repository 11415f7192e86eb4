"""Named blocks of SQL from a file beside the module that speaks them.

A block begins with `-- name: append_commands`, a line of comment that says what it is for, then the statement with
named parameters: `%(stream_id)s`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

_NAME: Final = re.compile(r"^-- name: (?P<name>[a-z][a-z0-9_]*)\s*$", re.MULTILINE)

Statements = Mapping[str, str]


def load(path: Path) -> Statements:
    """The blocks of a file by name, their comments removed (a `%` in a comment would be taken for a parameter).

    Raises ValueError for a name given twice or a block without a statement.
    """
    pieces = _NAME.split(path.read_text(encoding="utf-8"))
    blocks: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        statement = "\n".join(line for line in body.splitlines() if not line.lstrip().startswith("--")).strip()
        statement = statement.removesuffix(";")
        if name in blocks:
            raise ValueError(f"{path.name}: the block {name!r} is there twice")
        if not statement:
            raise ValueError(f"{path.name}: the block {name!r} is empty")
        blocks[name] = statement
    return MappingProxyType(blocks)
