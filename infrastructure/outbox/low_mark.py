"""Where the relay may begin to read, so that it does not wade through deleted rows again and again.

Positions are drawn before they are committed, so a lower one may appear after a higher one was read; to begin above it
would send a later event of its key first. So the mark follows only over positions whose appenders have all ended, or
are watched: an appender that takes long is passed, and each read is told to begin at its floor, below all that it may
have drawn, as soon as the read itself can see what it committed. One that cannot be watched, because it has no
transaction id yet or is prepared, costs time, not order: the mark stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping


class LowMark:
    """`position`: all that is or will be visible up to here has been read, but for what `passed` may still append."""

    def __init__(self) -> None:
        self.position = 0
        self.passed: dict[str, int] = {}
        """Id of a transaction under way -> where a read begins that sees it committed."""
        self._settled = 0
        self._candidate = 0
        self._waiting_for: frozenset[str] = frozenset()

    def look(self, given_out: int, appenders: Mapping[str, str | None]) -> None:
        """The highest position given out, and who then appended, each with its transaction's id if it can be watched.

        To be called before a read.
        """
        running = set(appenders.values())
        for ended in self.passed.keys() - running:
            self.position = min(self.position, self.passed.pop(ended))
        open_still = self._waiting_for & appenders.keys()
        self.passed |= {
            xid: self._settled for name in open_still if (xid := appenders[name]) and xid not in self.passed
        }
        waited_for = {name for name, xid in appenders.items() if xid not in self.passed}
        if self._waiting_for.isdisjoint(waited_for):
            self._settled = max(self._settled, self._candidate)
            self._candidate, self._waiting_for = given_out, frozenset(waited_for)
        if not waited_for:
            self._settled = given_out

    def read(self, up_to: int | None) -> None:
        """A read from `position` on has ended; `up_to` is where it was cut off, None when it saw everything."""
        self.position = self._settled if up_to is None else min(self._settled, up_to)

    def rewind(self) -> None:
        """Something below may be unread."""
        self.position = 0
