"""Where the relay may begin to read, so that it does not wade through deleted rows again and again.

Positions are drawn before they are committed, so a lower one may appear after a higher one was read; to begin above it
would send a later event of its key first. So the mark follows only over positions whose appenders have all ended. An
appender that takes long, or one that is never told of, costs time, not order: the mark stays where it is.
"""

from __future__ import annotations

from collections.abc import Collection


class LowMark:
    """`position`: all that is or will be visible up to here has been read."""

    def __init__(self) -> None:
        self.position = 0
        self._settled = 0
        self._candidate = 0
        self._waiting_for: frozenset[str] = frozenset()

    def look(self, given_out: int, appenders: Collection[str]) -> None:
        """The highest position given out, and who then appended; to be called before a read."""
        if self._waiting_for.isdisjoint(appenders):
            self._settled = max(self._settled, self._candidate)
            self._candidate, self._waiting_for = given_out, frozenset(appenders)
        if not appenders:
            self._settled = given_out

    def read(self, up_to: int | None) -> None:
        """A read from `position` on has ended; `up_to` is where it was cut off, None when it saw everything."""
        self.position = self._settled if up_to is None else min(self._settled, up_to)

    def rewind(self) -> None:
        """Something below may be unread."""
        self.position = 0
