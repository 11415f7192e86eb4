"""Many streams decided and appended together: two round trips for hundreds of them, each with an outcome of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, assert_never, cast

from domain.errors import Refusal
from domain.events import DomainEvent
from domain.messages import (
    Append,
    Appended,
    ClaimTaken,
    CommandContext,
    Idempotency,
    Outcome,
    Replayed,
    VersionMoved,
)
from domain.ports import EventStore, Identities
from services.usecases.aggregates import Aggregate
from services.usecases.conditions import Once
from services.usecases.outcome import Done, KeyReused, TooBusy
from services.usecases.stored_events import from_store, to_store

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=DomainEvent)

MAX_ROUNDS: Final = 6


@dataclass(frozen=True, slots=True)
class Intent(Generic[S, E]):
    """What shall happen to one stream. `decide` may refuse, and is asked again when the stream moved."""

    stream: str
    partition_key: str
    decide: Callable[[S], Sequence[E]]
    once: Once | None = None


@dataclass(frozen=True, slots=True)
class _Decided(Generic[S, E]):
    version: int
    before: S
    after: S
    events: Sequence[E]


async def decide_many(
    aggregate: Aggregate[C, S, E],
    intents: Sequence[Intent[S, E]],
    *,
    store: EventStore,
    identities: Identities,
    context: CommandContext,
    write: bool = True,
) -> Sequence[Done[S, E] | Refusal]:
    """One outcome for each intent, in order; a refusal leaves the others standing. Streams must be distinct.

    With `write` False nothing is stored and the outcomes are those that would be, but for races.
    """
    if not intents:
        return []
    settled: dict[int, Done[S, E] | Refusal] = {}
    waiting = list(range(len(intents)))
    for _ in range(MAX_ROUNDS):
        decided = await _decide(aggregate, intents, waiting, store, context.org_id, settled)
        if not write:
            settled |= {i: _done(d, d.version + len(d.events), 0) for i, d in decided.items()}
            decided = {}
        appends = [_append(aggregate, intents[i], d, context, identities) for i, d in decided.items()]
        outcomes = await store.append_many(context.org_id, appends) if appends else []
        waiting = []
        for (i, d), outcome in zip(decided.items(), outcomes, strict=True):
            ended = _ended(aggregate, intents[i], d, outcome)
            if ended is None:
                waiting.append(i)
            else:
                settled[i] = ended
        if not waiting:
            break
    settled |= {i: TooBusy(f"{intents[i].stream} moved {MAX_ROUNDS} times meanwhile") for i in waiting}
    return [settled[i] for i in range(len(intents))]


async def _decide(
    aggregate: Aggregate[C, S, E],
    intents: Sequence[Intent[S, E]],
    waiting: Sequence[int],
    store: EventStore,
    org_id: str,
    settled: dict[int, Done[S, E] | Refusal],
) -> dict[int, _Decided[S, E]]:
    """Decisions that need storing; all others are settled here."""
    histories = await store.read_streams(org_id, [intents[i].stream for i in waiting])
    decided: dict[int, _Decided[S, E]] = {}
    for i in waiting:
        recorded = histories.get(intents[i].stream, ())
        state = aggregate.decider.fold(cast("list[E]", from_store(recorded)))
        version = recorded[-1].version if recorded else 0
        try:
            events = intents[i].decide(state)
        except Refusal as refusal:
            settled[i] = refusal
            continue
        this = _Decided(version, state, aggregate.decider.fold(events, state), events)
        if events:
            decided[i] = this
        else:
            settled[i] = _done(this, version, 0)
    return decided


def _append(
    aggregate: Aggregate[C, S, E],
    intent: Intent[S, E],
    decided: _Decided[S, E],
    context: CommandContext,
    identities: Identities,
) -> Append:
    before, after = aggregate.claims_of(decided.before), aggregate.claims_of(decided.after)
    once = intent.once
    return Append(
        stream_id=intent.stream,
        partition_key=intent.partition_key,
        expected_version=decided.version,
        events=to_store(decided.events, context, identities),
        idempotency=None if once is None else Idempotency(key=once.key, fingerprint=once.fingerprint, response=b""),
        claims=tuple(sorted(after - before)),
        releases=tuple(sorted(before - after)),
    )


def _ended(
    aggregate: Aggregate[C, S, E], intent: Intent[S, E], decided: _Decided[S, E], outcome: Outcome
) -> Done[S, E] | Refusal | None:
    """None: the stream moved, decide again."""
    match outcome:
        case Appended():
            return _done(decided, outcome.version, outcome.position)
        case Replayed():
            if intent.once is None or outcome.fingerprint != intent.once.fingerprint:
                return KeyReused(f"a key for {intent.stream} was used for another request", stream=intent.stream)
            return Done(
                version=outcome.version, position=outcome.position, events=(), state=decided.before, replayed=True
            )
        case ClaimTaken():
            return aggregate.taken(outcome, decided.after)
        case VersionMoved():
            return None
        case _:
            assert_never(outcome)


def _done(decided: _Decided[S, E], version: int, position: int) -> Done[S, E]:
    return Done(version=version, position=position, events=decided.events, state=decided.after)
