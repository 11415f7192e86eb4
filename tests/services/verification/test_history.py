"""What holds between a store and its topics, and each way in which it can fail to: told by name, and by no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.kafka.partitions import partition_of
from infrastructure.kafka.topics import PRODUCT
from services.verification.findings import Check, Kind
from services.verification.history import Bounds, Fate, Gap, History, Seen, Stored, digest_of
from services.verification.positions import Positions

PARTITIONS = 3
NOON = 1_790_000_000_000


@dataclass
class Events:
    """Events of a few products, in the order of their positions, and the topic that should hold them."""

    events: list[tuple[int, str, int]] = field(default_factory=list)
    history: History = field(
        default_factory=lambda: History(Check(name="topics", compared=""), Check(name="views", compared=""))
    )

    def store(self, *keys: str) -> Events:
        """The next event of each."""
        for key in keys:
            version = 1 + sum(known == key for _, known, _ in self.events)
            position = len(self.events) + 1
            self.events.append((position, key, version))
            self.history.store(position, self._digest(position))
        return self

    def publish(
        self,
        positions: Sequence[int],
        *,
        begin: int = 0,
        shown: int = 0,
        partition: int | None = None,
        replayed: bool = False,
        sent_ms: int = NOON,
    ) -> None:
        """Records in this order, each in the partition of its key."""
        readers = {
            number: self.history.partition(Bounds(PRODUCT, number, PARTITIONS, begin, 10**6, shown))
            for number in range(PARTITIONS)
        }
        for offset, position in enumerate(positions, begin):
            seen = self.seen(position, offset=offset, replayed=replayed)
            readers[partition_of(seen.key, PARTITIONS) if partition is None else partition].take(seen, sent_ms)

    def seen(self, position: int, *, offset: int = 0, replayed: bool = False) -> Seen:
        _, key, version = self.events[position - 1]
        digest = self._digest(position)
        return Seen(offset, position, f"toko/product-{key}", version, f"id-{position}", key.encode(), digest, replayed)

    def stored(self, position: int, *, recorded_ms: int = NOON) -> Stored:
        _, key, version = self.events[position - 1]
        return Stored(position, f"toko/product-{key}", version, f"id-{position}", key.encode(), PRODUCT, recorded_ms)

    def judged(self, *, recorded_ms: int = NOON) -> dict[Kind, int]:
        """The violations, when all has been looked up that has to be."""
        self.history.explain(self.history.beyond, {})
        for position in self.history.missing():
            self.history.judge(self.stored(position, recorded_ms=recorded_ms))
        for gap in self.history.gaps:
            for position, key, version in self.events:
                if gap.stream == f"toko/product-{key}" and gap.first <= version <= gap.last:
                    self.history.judge_gap(Fate(position, gap.stream, version, f"id-{position}", dropped=False))
        return self.history.check.violations

    def _digest(self, position: int) -> int:
        return digest_of(f"id-{position}|{self.events[position - 1]}".encode(), b"{}")


def test_a_topic_that_holds_every_event_in_order_is_sound() -> None:
    events = Events().store("a", "b", "a", "c", "a")
    events.publish([1, 2, 3, 4, 5])
    assert events.judged() == {}
    assert (events.history.records, events.history.repeated, events.history.gaps) == (5, 0, [])


def test_what_waits_or_was_dropped_is_not_missed() -> None:
    events = Events().store("a", "a", "b", "b")
    events.history.waiting.add(2)
    events.history.dropped.add(3)
    events.publish([1, 4])
    assert events.judged() == {}
    assert events.history.gaps == [Gap("toko/product-b", 1, 1)]


def test_an_event_in_no_topic_and_no_outbox_is_lost() -> None:
    events = Events().store("a", "b", "a")
    events.publish([1, 2])
    assert events.judged() == {Kind.LOST: 1}
    (example,) = events.history.check.examples
    assert (example.stream, example.version, example.event_id) == ("toko/product-a", 2, "id-3")


def test_a_hole_within_a_stream_is_one_lost_event() -> None:
    events = Events().store("a", "a", "a")
    events.publish([1, 3])
    assert events.judged() == {Kind.LOST: 1}


def test_a_record_of_no_event_is_a_phantom() -> None:
    events = Events().store("a")
    other = Events().store("b", "b")
    events.publish([1])
    reader = events.history.partition(Bounds(PRODUCT, partition_of(b"b", PARTITIONS), PARTITIONS, 0, 9, 0))
    reader.take(other.seen(2), NOON)
    assert events.judged() == {Kind.PHANTOM: 1}


def test_a_record_beyond_the_cut_that_the_store_knows_by_now_is_nothing_wrong() -> None:
    events = Events().store("a")
    later = Events().store("a", "a")
    reader = events.history.partition(Bounds(PRODUCT, partition_of(b"a", PARTITIONS), PARTITIONS, 0, 9, 0))
    reader.take(events.seen(1), NOON)
    reader.take(later.seen(2), NOON)
    events.history.explain(events.history.beyond, {2: later.seen(2).digest})
    assert events.history.check.violations == {}
    assert events.history.later == 1


def test_a_version_first_seen_behind_a_later_one_is_reordered() -> None:
    events = Events().store("a", "a", "a")
    events.publish([1, 3, 2])
    assert events.judged() == {Kind.REORDERED: 1}


def test_a_version_that_still_waits_when_a_later_one_is_out_is_reordered() -> None:
    events = Events().store("a", "a", "a")
    events.history.waiting.add(2)
    events.publish([1, 3])
    assert events.judged() == {Kind.REORDERED: 1}


def test_repetitions_are_counted_by_shard_and_are_nothing_wrong() -> None:
    events = Events().store("a", "a", "a")
    events.publish([1, 2, 3, 2, 3])
    assert events.judged() == {}
    assert events.history.repeated == sum(events.history.repeated_by_shard.values()) == 2


def test_replayed_records_are_not_repetitions() -> None:
    events = Events().store("a", "a")
    events.publish([1, 2])
    events.publish([1, 2], replayed=True)
    assert events.judged() == {}
    assert (events.history.repeated, events.history.replayed) == (0, 2)


def test_what_was_brought_back_may_stand_behind_what_had_stayed() -> None:
    events = Events().store("a", "a", "a")
    events.publish([3], begin=5)
    events.publish([1, 2], replayed=True)
    assert events.judged() == {}


def test_a_record_that_says_something_else_is_altered() -> None:
    events = Events().store("a")
    seen = events.seen(1)
    reader = events.history.partition(Bounds(PRODUCT, partition_of(b"a", PARTITIONS), PARTITIONS, 0, 9, 0))
    reader.take(seen._replace(digest=seen.digest ^ 1), NOON)
    assert events.judged() == {Kind.ALTERED: 1}


def test_a_record_outside_the_partition_of_its_key_is_scattered() -> None:
    events = Events().store("a")
    events.publish([1], partition=(partition_of(b"a", PARTITIONS) + 1) % PARTITIONS)
    assert events.judged() == {Kind.SCATTERED: 1}


def test_a_row_of_the_outbox_without_an_event_is_found() -> None:
    events = Events().store("a")
    events.history.waiting.add(1)
    events.history.waiting.add(7)
    assert list(events.history.orphans()) == [7]


def test_what_retention_took_is_expired_and_what_came_after_it_is_lost() -> None:
    events = Events().store("a", "a", "a", "b")
    events.publish([2], begin=5)  # the first is gone with everything before offset 5; the third should be behind it
    assert events.judged() == {Kind.LOST: 1}
    assert events.history.expired == 2
    assert events.history.gaps == []


def test_what_was_recorded_after_all_that_is_left_cannot_have_expired() -> None:
    events = Events().store("a", "b")
    events.publish([1], begin=5, sent_ms=NOON)
    home = partition_of(b"b", PARTITIONS)
    events.history.partition(Bounds(PRODUCT, home, PARTITIONS, 5, 9, 0)).take(events.seen(1), NOON)
    found = events.judged(recorded_ms=NOON + 3_600_000)
    assert found[Kind.LOST] == 1


def test_an_applied_record_that_no_view_shows_was_skipped_unless_its_key_is_parked() -> None:
    def found(shown: int, *excused: str) -> dict[Kind, int]:
        events = Events().store("a", "a")
        events.history.hidden.add(2)
        events.history.excused_keys.update(excused)
        events.publish([1, 2], shown=shown)
        assert events.judged() == {}
        return events.history.views.violations

    assert found(2) == {Kind.SKIPPED: 1}
    assert found(1) == {}, "its record has not been applied yet"
    assert found(2, "a") == {}


@given(st.lists(st.integers(0, 5_000)))
def test_positions_are_a_set(numbers: list[int]) -> None:
    positions, known = Positions(), set[int]()
    for number in numbers:
        assert positions.add(number) is (number not in known)
        known.add(number)
    assert list(positions) == sorted(known)
    assert len(positions) == len(known)
    assert all((number in positions) is (number in known) for number in range(5_100))


@given(st.data())
def test_whatever_is_repeated_a_topic_in_order_is_sound(data: st.DataObject) -> None:
    events = Events().store(*data.draw(st.lists(st.sampled_from("abcd"), max_size=30)))
    sent: list[int] = []
    while len(set(sent)) < len(events.events):  # a relay that is killed begins again somewhere before where it was
        start = data.draw(st.integers(0, len(set(sent))))
        end = data.draw(st.integers(len(set(sent)) + 1, len(events.events)))
        sent += range(start + 1, end + 1)
    events.publish(sent)
    assert events.judged() == {}
    assert events.history.repeated == len(sent) - len(set(sent))
