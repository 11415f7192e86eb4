"""Load, decide, append: one command on one stream, exactly once per key, decided again when somebody was faster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast
from weakref import WeakValueDictionary

from domain.errors import Refusal
from domain.events import DomainEvent
from domain.messages import (
    Append,
    Appended,
    ClaimTaken,
    CommandContext,
    Idempotency,
    Replayed,
    VersionMoved,
)
from domain.ports import EventStore, Identities
from services.usecases.aggregates import Aggregate
from services.usecases.conditions import Expected, Once, Respond, no_response
from services.usecases.outcome import Done, KeyReused, StaleVersion, TooBusy
from services.usecases.remembered import Remembered
from services.usecases.stored_events import from_store, to_store

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E", bound=DomainEvent)

MAX_DECISIONS: Final = 6
"""The first and five more: as often as a stream may move under one command."""
CACHED_STREAMS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """A stream folded up to `version`; 0 when there is nothing. `is_fresh`: read just now, not remembered."""

    version: int
    state: S
    is_fresh: bool = True


class Repository(Generic[C, S, E]):
    """One kind of aggregate of every organisation.

    States are remembered. A remembered one may be old: the version check of the append notices, and before anything is
    refused or found unnecessary on its account, it is brought up to date.

    Commands on one stream take turns in this process, so that only other processes can overtake one. A command that
    insists on a version does not wait: where another is faster it is refused, not decided again.
    """

    def __init__(
        self,
        aggregate: Aggregate[C, S, E],
        store: EventStore,
        identities: Identities,
        *,
        cached: int = CACHED_STREAMS,
    ) -> None:
        self._aggregate = aggregate
        self._decider = aggregate.decider
        self._store = store
        self._identities = identities
        self._cache: Remembered[tuple[str, str], Loaded[S]] = Remembered(cached)
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        """Each lives as long as a command holds or awaits it."""

    async def load(self, org_id: str, stream: str) -> Loaded[S]:
        """The current state. Raises BrokenHistory when stored events cannot be read."""
        return await self._refresh(org_id, stream, self._remembered(org_id, stream))

    def remembered(self, org_id: str, stream: str) -> S:
        """The state as it was last seen here, for what never changes in it; the initial one if it never was."""
        return self._remembered(org_id, stream).state

    async def handle(
        self,
        context: CommandContext,
        stream: str,
        partition_key: str,
        command: C,
        *,
        expected: Expected | None = None,
        once: Once | None = None,
        respond: Respond[S] = no_response,
    ) -> Done[S, E]:
        """Decide and store.

        Raises the aggregate's refusals, StaleVersion, KeyReused, the aggregate's refusal of a taken claim, TooBusy, and
        BrokenHistory.
        """
        insists = expected is not None and not expected.merge
        async with nullcontext() if insists else self._turn(context.org_id, stream):
            return await self._handle(context, stream, partition_key, command, expected, once, respond)

    async def _handle(
        self,
        context: CommandContext,
        stream: str,
        partition_key: str,
        command: C,
        expected: Expected | None,
        once: Once | None,
        respond: Respond[S],
    ) -> Done[S, E]:
        loaded = self._remembered(context.org_id, stream)
        for _ in range(MAX_DECISIONS):
            decided = await self._decide(context, stream, command, loaded, expected, once)
            if isinstance(decided, Done):
                return decided
            loaded, events = decided
            state = self._decider.fold(events, loaded.state)
            version = loaded.version + len(events)
            if not events and once is None:
                return Done(version=version, position=0, events=(), state=state, response=respond(version, state))
            append = self._append(context, stream, partition_key, loaded, events, state, once, respond)
            outcome = await self._store.append(context.org_id, append)
            match outcome:
                case Appended():
                    self._remember(context.org_id, stream, Loaded(outcome.version, state))
                    return Done(
                        version=outcome.version,
                        position=outcome.position,
                        events=events,
                        state=state,
                        response=append.idempotency.response if append.idempotency else respond(version, state),
                    )
                case Replayed():
                    return await self._replay(context.org_id, stream, outcome, once)
                case ClaimTaken():
                    raise self._aggregate.taken(outcome, state)
                case VersionMoved():
                    loaded = await self._refresh(context.org_id, stream, self._remembered(context.org_id, stream))
        raise TooBusy(f"{stream} moved {MAX_DECISIONS} times while this was decided", stream=stream)

    def _turn(self, org_id: str, stream: str) -> asyncio.Lock:
        lock = self._turns.get((org_id, stream))
        if lock is None:
            lock = self._turns[org_id, stream] = asyncio.Lock()
        return lock

    async def _decide(
        self,
        context: CommandContext,
        stream: str,
        command: C,
        loaded: Loaded[S],
        expected: Expected | None,
        once: Once | None,
    ) -> Done[S, E] | tuple[Loaded[S], Sequence[E]]:
        """Events on the state they were decided on, or the answer that the key has got already."""
        while True:
            try:
                events = self._decider.decide(command, loaded.state)
                if expected is not None:
                    await self._check_expected(context.org_id, stream, loaded, expected, events)
            except Refusal:
                if loaded.is_fresh:
                    answered = await self._answered(context.org_id, stream, once)
                    if answered is None:
                        raise
                    return answered
            else:
                if events or loaded.is_fresh:
                    return loaded, events
            loaded = await self._refresh(context.org_id, stream, loaded)

    async def _check_expected(
        self, org_id: str, stream: str, loaded: Loaded[S], expected: Expected, events: Sequence[E]
    ) -> None:
        if loaded.version == expected.version:
            return
        since = await self._store.read_stream(org_id, stream, after=expected.version)
        current = since[-1].version if since else loaded.version
        touch = self._aggregate.fields_of
        changed = frozenset(field for event in from_store(since) for field in touch(cast("E", event)))
        mine = frozenset(field for event in events for field in touch(event))
        if not (expected.merge and since and not changed & mine):
            actor = since[-1].actor if since else ""
            raise StaleVersion(expected=expected.version, current=current, changed=changed, actor=actor)

    async def _answered(self, org_id: str, stream: str, once: Once | None) -> Done[S, E] | None:
        if once is None:
            return None
        replayed = await self._store.answered(org_id, once.key)
        return None if replayed is None else await self._replay(org_id, stream, replayed, once)

    async def _replay(self, org_id: str, stream: str, replayed: Replayed, once: Once | None) -> Done[S, E]:
        if once is None or replayed.fingerprint != once.fingerprint:
            key = "" if once is None else once.key
            raise KeyReused(f"key {key!r} was used for another request", key=key)
        loaded = await self.load(org_id, stream)
        return Done(
            version=replayed.version,
            position=replayed.position,
            events=(),
            state=loaded.state,
            replayed=True,
            response=replayed.response,
        )

    def _append(
        self,
        context: CommandContext,
        stream: str,
        partition_key: str,
        loaded: Loaded[S],
        events: Sequence[E],
        state: S,
        once: Once | None,
        respond: Respond[S],
    ) -> Append:
        before, after = self._aggregate.claims_of(loaded.state), self._aggregate.claims_of(state)
        response = respond(loaded.version + len(events), state)
        return Append(
            stream_id=stream,
            partition_key=partition_key,
            expected_version=loaded.version,
            events=to_store(events, context, self._identities),
            idempotency=None
            if once is None
            else Idempotency(key=once.key, fingerprint=once.fingerprint, response=response),
            claims=tuple(sorted(after - before)),
            releases=tuple(sorted(before - after)),
        )

    async def _refresh(self, org_id: str, stream: str, loaded: Loaded[S]) -> Loaded[S]:
        since = await self._store.read_stream(org_id, stream, after=loaded.version)
        events = cast("list[E]", from_store(since))
        version = since[-1].version if since else loaded.version
        fresh = Loaded(version, self._decider.fold(events, loaded.state))
        self._remember(org_id, stream, fresh)
        return fresh

    def _remembered(self, org_id: str, stream: str) -> Loaded[S]:
        return self._cache.get((org_id, stream)) or Loaded(0, self._decider.initial, is_fresh=False)

    def _remember(self, org_id: str, stream: str, loaded: Loaded[S]) -> None:
        known = self._cache.get((org_id, stream))
        if loaded.version == 0 or (known is not None and known.version > loaded.version):
            return
        self._cache.put((org_id, stream), Loaded(loaded.version, loaded.state, is_fresh=False))
