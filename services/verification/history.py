"""Events of the store held against the records of the topics. No input or output: callers bring both, in any portions.

An event that the cut shows is in its topic, or in the outbox, or an operator has dropped it. Whoever reads the topics'
ends after the cut was taken therefore finds every event that is not excused, however much is written meanwhile; what
the topics hold beyond the cut is explained by another look at the store.

Kept per event are 32 bits of a digest and a few single bits; per stream its last version, and that for the partitions
under way alone.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from infrastructure.kafka.partitions import partition_of
from infrastructure.outbox.shards import shard_of
from services.verification.findings import Check, Kind, Violation
from services.verification.positions import Positions

CLOCK_SKEW_MS: Final = 60_000
"""By which the clocks of the database and of relays may differ."""
MOST_GAPS: Final = 10_000
"""Remembered; a topic with more of them is beyond naming each."""


def digest_of(identity: bytes, data: bytes) -> int:
    """Of all that must be equal in store and topic; never 0."""
    return zlib.crc32(data, zlib.crc32(identity)) or 1


class Seen(NamedTuple):
    """A record of a topic."""

    offset: int
    position: int
    stream: str
    """organisation/stream id"""
    version: int
    event_id: str
    key: bytes
    digest: int
    replayed: bool = False


class Stored(NamedTuple):
    """An event, as another look at the store tells it."""

    position: int
    stream: str
    version: int
    event_id: str
    key: bytes
    topic: str
    recorded_ms: int
    """When it was recorded, in Unix milliseconds."""


class Gap(NamedTuple):
    """Versions of a stream that a topic had not brought when it brought the next one."""

    stream: str
    first: int
    last: int


class Fate(NamedTuple):
    """What has become of an event that a topic has left out."""

    position: int
    stream: str
    version: int
    event_id: str
    dropped: bool


class Bounds(NamedTuple):
    """What is to be read of a partition."""

    topic: str
    number: int
    partitions: int
    """Of the topic."""
    begin: int
    end: int
    shown: int
    """Up to here the views' consumer had applied the records when the cut was taken."""


class History:
    def __init__(self, check: Check, views: Check) -> None:
        self.check = check
        """Takes what is wrong between store and topics."""
        self.views = views
        """Takes what is wrong between topics and views."""
        self.cut = 0
        self.events = 0
        self.waiting = Positions()
        """In the outbox or parked."""
        self.dropped = Positions()
        """Given up by an operator."""
        self.hidden = Positions()
        """Stored, and shown by no view at the cut."""
        self.excused_keys: set[str] = set()
        """Whose records the views' consumer has parked or dropped."""
        self.seen = Positions()
        self.beyond: list[Seen] = []
        """Records of events that the cut does not show."""
        self.gaps: list[Gap] = []
        self.records = self.repeated = self.replayed = self.later = self.expired = 0
        self.repeated_by_shard: Counter[int] = Counter()
        self._digests = array("I")
        self._trimmed: dict[tuple[str, int], PartitionReader] = {}
        self._partitions: dict[str, int] = {}

    def store(self, position: int, digest: int) -> None:
        if position >= len(self._digests):
            self._digests.extend(bytes(4 * max(position + 1 - len(self._digests), len(self._digests) >> 1)))
        self._digests[position] = digest
        self.cut = max(self.cut, position)
        self.events += 1

    def digest(self, position: int) -> int:
        """0 where the cut shows no event."""
        return self._digests[position] if position < len(self._digests) else 0

    def partition(self, bounds: Bounds) -> PartitionReader:
        """Whoever takes this partition's records, in order of their offsets."""
        reader = PartitionReader(self, bounds)
        self._partitions[bounds.topic] = bounds.partitions
        if bounds.begin:
            self._trimmed[bounds.topic, bounds.number] = reader
        return reader

    def explain(self, asked: Iterable[Seen], stored: Mapping[int, int]) -> None:
        """What the store says now of records beyond the cut: position -> digest."""
        for seen in asked:
            found = stored.get(seen.position)
            if found == seen.digest:
                self.later += 1
            elif found is None:
                self.wrong(Kind.PHANTOM, seen, "the store has no such event")
            else:
                self.wrong(Kind.ALTERED, seen, "the store's event of this position is another")

    def missing(self) -> Iterable[int]:
        """Positions that are in no topic, and are not excused; to be looked up and judged."""
        for position, digest in enumerate(self._digests):
            if digest and not (position in self.seen or position in self.waiting or position in self.dropped):
                yield position

    def orphans(self) -> Iterable[int]:
        """Positions that wait to be published and are of no event."""
        return (position for position in self.waiting if not self.digest(position))

    def judge(self, event: Stored) -> None:
        """Of a missing event: lost, or brought to the topic and expired there since."""
        partitions = self._partitions.get(event.topic, 0)
        trimmed = self._trimmed.get((event.topic, partition_of(event.key, partitions))) if partitions else None
        if trimmed is not None and trimmed.may_have_held(event):
            self.expired += 1
        else:
            self.wrong(Kind.LOST, event, f"position {event.position} is neither in the outbox nor in {event.topic}")

    def judge_gap(self, fate: Fate) -> None:
        """Of an event that its topic has passed over: it may come no more, unless it was dropped."""
        waits = fate.position in self.waiting and fate.position not in self.seen
        if waits and not (fate.dropped or fate.position in self.dropped):
            self.wrong(Kind.REORDERED, fate, "still waits while its topic holds a later version")

    def wrong(self, kind: Kind, event: Seen | Stored | Fate, detail: str) -> None:
        self.check.add(
            Violation(kind=kind, stream=event.stream, version=event.version, event_id=event.event_id, detail=detail)
        )

    def unreadable(self, topic: str, partition: int, offset: int, reason: str) -> None:
        self.records += 1
        self.check.add(Violation(kind=Kind.UNREADABLE, stream=f"{topic}/{partition}/{offset}", detail=reason))


class PartitionReader:
    """Takes the records of one partition in order."""

    def __init__(self, history: History, bounds: Bounds) -> None:
        self._history = history
        self.bounds = bounds
        self._last: dict[str, int] = {}
        self._oldest: dict[str, int] = {}
        self._begins_ms: int | None = None

    def take(self, seen: Seen, sent_ms: int) -> None:
        history, bounds = self._history, self.bounds
        history.records += 1
        if self._begins_ms is None:
            self._begins_ms = sent_ms
        at_home = partition_of(seen.key, bounds.partitions)
        if at_home != bounds.number:
            history.wrong(Kind.SCATTERED, seen, f"in {bounds.topic}/{bounds.number}, its key lives in {at_home}")
        stored = history.digest(seen.position)
        if stored and stored != seen.digest:
            history.wrong(Kind.ALTERED, seen, f"{bounds.topic}/{bounds.number}/{seen.offset} is not as stored")
        if not stored:
            history.beyond.append(seen)
        if seen.offset < bounds.shown and seen.position in history.hidden and not self._is_excused(seen):
            history.views.add(
                Violation(
                    kind=Kind.SKIPPED,
                    stream=seen.stream,
                    version=seen.version,
                    event_id=seen.event_id,
                    detail=f"{bounds.topic}/{bounds.number}/{seen.offset} was passed, no view shows it",
                )
            )
        if history.seen.add(seen.position):
            self._first(seen)
        elif seen.replayed:
            history.replayed += 1
        else:
            history.repeated += 1
            history.repeated_by_shard[shard_of(seen.key.decode(errors="replace"))] += 1

    def may_have_held(self, event: Stored) -> bool:
        """Whether retention may have taken the event: of its stream nothing older is left, and all is newer than it."""
        if self._oldest.get(event.stream, event.version) < event.version:
            return False
        return self._begins_ms is None or event.recorded_ms <= self._begins_ms + CLOCK_SKEW_MS

    def _first(self, seen: Seen) -> None:
        history = self._history
        last = self._last.get(seen.stream, 0)
        if seen.version <= last:
            if not seen.replayed:  # what was brought back stands behind what had stayed
                history.wrong(Kind.REORDERED, seen, f"comes behind version {last}")
            return
        self._last[seen.stream] = seen.version
        if self.bounds.begin and not last:
            self._oldest[seen.stream] = seen.version
        if seen.version > last + 1 and (last or not self.bounds.begin) and len(history.gaps) < MOST_GAPS:
            history.gaps.append(Gap(seen.stream, last + 1, seen.version - 1))

    def _is_excused(self, seen: Seen) -> bool:
        keys: Collection[str] = self._history.excused_keys
        return bool(keys) and seen.key.decode(errors="replace") in keys
