"""`verify`: everything that can be compared without disturbing anybody, on an installation that goes on working."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from domain.errors import SyncStoreError
from infrastructure.kafka import topics
from infrastructure.kafka.client import KafkaSettings, reaching
from infrastructure.kafka.offsets import Partition, load_offsets
from infrastructure.kafka.replay import Replay
from projections import verify as views
from projections.fill import Source
from projections.projection import AnyView
from projections.registry import VIEWS
from services.consumers.push_queue import QueuePushes
from services.verification import records, store
from services.verification.findings import Check, Kind, Report, Violation
from services.verification.history import Bounds, History

EXPLAINED_AT_ONCE: Final = 2_000

T = TypeVar("T")
Plan = list[list[Bounds]]
Progress = Callable[[str, int, int], None]
"""Hears the stage, how much of it is done and how much there is, in units of the stage."""


async def verify(source: Source, kafka: KafkaSettings, progress: Progress = lambda *_: None) -> Report:
    """Compare, and change nothing. What is written meanwhile is neither missed nor reported.

    Raises TopicMissing, RecordsExpired, KafkaUnavailable, and what the database raises.
    """
    started = time.monotonic()
    streams = Check(name="event store", compared="streams against their events")
    answers = Check(name="answers", compared="idempotency keys against the events they promise")
    aside = Check(name="set aside", compared="keys that wait for a person, in relay and consumers")
    history = History(
        Check(name="topics", compared="events against outbox and topics"),
        Check(name="views", compared="events against the log of the views, by the records that were applied"),
    )
    async with store.connected(*source) as connection:
        async with store.one_snapshot(connection):
            highest, taken_at = await store.given_out(connection)
            await store.read_events(connection, history, lambda reached: progress("event store", reached, highest))
            await store.read_outbox(connection, history)
            shown = await store.read_views(connection, history)
            progress("streams", 0, 2)
            await store.check_store(connection, streams)
            progress("streams", 1, 2)
            await store.check_answers(connection, answers)
            await store.check_set_aside(connection, aside)
            progress("streams", 2, 2)
        _settle_counts(history)
        with reaching(kafka):
            async with Replay(kafka, topics.TOPICS) as replay:
                plan = await records.bounds_of(replay, shown)
                await _read_topics(history, replay, plan, connection, progress)
        await _judge(history, plan, connection)
        listings = Check(name="listings", compared="listings against what their shops show, as recorded")
        async with store.one_snapshot(connection):
            queue = await load_offsets(connection, QueuePushes.name)
            current = _has_passed(queue, plan, (topics.LISTING, topics.CONNECTION))
            await store.check_listings(connection, listings, cut=history.cut, queue_is_current=current)
    folds = [await _fold(view, source, number, progress) for number, view in enumerate(VIEWS)]
    return Report(
        cut=history.cut,
        taken_at=taken_at,
        seconds=round(time.monotonic() - started, 2),
        checks=(streams, answers, history.check, history.views, *folds, listings, aside),
    )


def _settle_counts(history: History) -> None:
    history.check.count = history.views.count = history.events
    for position in history.orphans():
        told = f"position {position} waits in the outbox"
        history.check.add(Violation(kind=Kind.ORPHAN, stream="outbox", detail=told))


async def _read_topics(
    history: History, replay: Replay, plan: Plan, connection: store.Connection, progress: Progress
) -> None:
    total = sum(bounds.end - bounds.begin for together in plan for bounds in together)
    done = 0
    for together in plan:
        async for count in records.read_into(history, replay, together):
            done += count
            progress("topics", done, total)
            await _explain(history, connection, down_to=EXPLAINED_AT_ONCE)
    await _explain(history, connection, down_to=0)


async def _explain(history: History, connection: store.Connection, *, down_to: int) -> None:
    while len(history.beyond) > down_to:
        asked, history.beyond = history.beyond[:EXPLAINED_AT_ONCE], history.beyond[EXPLAINED_AT_ONCE:]
        history.explain(asked, await store.digests(connection, {seen.position for seen in asked}))


async def _judge(history: History, plan: Plan, connection: store.Connection) -> None:
    for portion in _portions(history.missing()):
        for event in await store.describe(connection, portion):
            history.judge(event)
    for gaps in _portions(history.gaps):
        for fate in await store.fates(connection, gaps):
            history.judge_gap(fate)
    notes = history.check.notes
    notes.append(f"{history.records} records, {history.repeated} repeated, {history.replayed} replayed")
    waiting, dropped = len(history.waiting), len(history.dropped)
    notes.append(
        f"{waiting} events waited in the outbox at the cut, {dropped} had been dropped by an operator, "
        f"{history.later} records were written since"
    )
    for bounds in (bounds for together in plan for bounds in together if bounds.begin):
        notes.append(f"{bounds.topic}/{bounds.number} begins at offset {bounds.begin}: retention has taken the rest")
    if history.expired:
        notes.append(f"{history.expired} events expired in their topics; syncstore relay republish brings them back")
    history.views.notes.append(f"{len(history.hidden)} events were still on their way to the views at the cut")


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while portion := list(islice(iterator, EXPLAINED_AT_ONCE)):
        yield portion


def _has_passed(queue: dict[Partition, int], plan: Plan, names: tuple[str, ...]) -> bool:
    return all(
        queue.get(Partition(bounds.topic, bounds.number), 0) >= bounds.end
        for together in plan
        for bounds in together
        if bounds.topic in names
    )


async def _fold(view: AnyView, source: Source, number: int, progress: Progress) -> Check:
    """The view's rows against a fold of the events, both of one snapshot."""
    progress("folds", number, len(VIEWS))
    check = Check(name=f"view {view.name}", compared="rows against the fold of the events")
    try:
        found = await views.verify(view, source)
    except SyncStoreError as error:
        check.add(Violation(kind=Kind.UNFOLDED, stream=view.name, detail=str(error)))
        return check
    check.count = found.true_rows
    for difference in found.differences:
        told = ", ".join(f"{name} is {live!r} instead of {true!r}" for name, (live, true) in difference.columns.items())
        check.add(Violation(kind=Kind.DIFFERENT, stream=difference.key, version=difference.version, detail=told))
    if found.alone:
        told = f"{found.alone} rows are of no event"
        check.add(Violation(kind=Kind.INVENTED, stream=view.name, detail=told), times=found.alone)
    check.notes.append(f"{found.live_rows} rows, {found.behind} on their way")
    progress("folds", number + 1, len(VIEWS))
    return check
