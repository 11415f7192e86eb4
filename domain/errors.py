"""The roots of everything the domain can say no with.

SyncStoreError
├── Refusal              a command cannot be done as asked; nothing was written
├── BrokenHistory        stored facts cannot be understood (unknown schema, impossible sequence)
└── Transient            nothing is wrong with what was asked; the same may succeed later

Each refusal is defined beside the decision that raises it.
"""

from __future__ import annotations

from typing import Any, ClassVar


class SyncStoreError(Exception):
    """Root of all errors that SyncStore raises on purpose."""


class Refusal(SyncStoreError):
    """A command cannot be done as asked.

    `code` is stable and documented; `remedy` tells the caller what to do; `facts` are the values a caller may show.
    """

    code: ClassVar[str] = "refused"
    remedy: ClassVar[str] = ""

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.facts = facts


class BrokenHistory(SyncStoreError):
    """Stored events cannot be understood by this version of the code."""


class Transient(SyncStoreError):
    """No input is to blame: the same, asked again later, may succeed. Consumers wait and set nothing aside."""
