"""Appends as the parameters of one statement, and its rows as outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.errors import SyncStoreError
from domain.messages import (
    Append,
    Appended,
    Claim,
    ClaimTaken,
    Idempotency,
    NewEvent,
    Outcome,
    Replayed,
    VersionMoved,
)
from infrastructure.outbox.shards import shard_of
from infrastructure.postgres import arrays

MAX_EVENT_BYTES: Final = 512 * 1024
"""Half of what Kafka takes by default, so that a stored event is never refused for its size."""


class EventTooLarge(SyncStoreError):
    """An event's JSON is longer than MAX_EVENT_BYTES; nothing was stored."""


def check_sizes(append: Append) -> None:
    """Raises EventTooLarge."""
    for event in append.events:
        if len(event.data) > MAX_EVENT_BYTES:
            raise EventTooLarge(
                f"{event.type} of {append.stream_id} has {len(event.data)} bytes; at most {MAX_EVENT_BYTES} are stored"
            )


def size(append: Append) -> int:
    """About how many bytes it adds to a statement."""
    kept = append.idempotency
    return sum(len(event.data) for event in append.events) + (len(kept.response) if kept else 0)


def marks(append: Append) -> set[tuple[str, ...]]:
    """What no other command of the same statement may touch."""
    found: set[tuple[str, ...]] = {("stream", append.stream_id)}
    if append.idempotency is not None:
        found.add(("key", append.idempotency.key))
    found.update(("claim", claim.kind, claim.value) for claim in (*append.claims, *append.releases))
    return found


def call(org_id: str, appends: Sequence[Append]) -> tuple[str, dict[str, Any]]:
    """The name of the statement for these appends, and its parameters."""
    if len(appends) == 1:
        (append,) = appends
        if append.idempotency is not None and len(append.events) == 1 and not append.claims and not append.releases:
            return "append_command", _single(org_id, append, append.idempotency, append.events[0])
    return "append_commands", parameters(org_id, appends)


def _single(org_id: str, append: Append, kept: Idempotency, event: NewEvent) -> dict[str, Any]:
    return {
        "org_id": org_id,
        "stream": append.stream_id,
        "expected": append.expected_version,
        "key": kept.key,
        "fingerprint": kept.fingerprint,
        "response": kept.response,
        "partition_key": append.partition_key,
        "shard": shard_of(append.partition_key),
        "id": event.event_id,
        "type": event.type,
        "schema": event.schema,
        "data": event.data.decode(),
        "occurred_at": event.occurred_at,
        "actor": event.actor,
        "correlation": event.correlation_id,
        "causation": event.causation_id,
        "batch": event.batch_id,
    }


def parameters(org_id: str, appends: Sequence[Append]) -> dict[str, Any]:
    """Arrays aligned by command, by event, by claim and by release; commands count from 1."""
    commands = list(enumerate(appends, 1))
    events = [
        (number, append, version, event)
        for number, append in commands
        for version, event in enumerate(append.events, append.expected_version + 1)
    ]
    claims = [(number, append.stream_id, claim) for number, append in commands for claim in append.claims]
    releases = [(number, append.stream_id, claim) for number, append in commands for claim in append.releases]
    keyed = [append.idempotency for append in appends]
    return {
        "org_id": org_id,
        "streams": arrays.texts([append.stream_id for append in appends]),
        "expected": arrays.integers([append.expected_version for append in appends]),
        "versions": arrays.integers([append.expected_version + len(append.events) for append in appends]),
        "keys": arrays.texts([key.key if key else None for key in keyed]),
        "fingerprints": arrays.blobs([key.fingerprint if key else None for key in keyed]),
        "responses": arrays.blobs([key.response if key else None for key in keyed]),
        "e_command": arrays.integers([number for number, _, _, _ in events]),
        "e_streams": arrays.texts([append.stream_id for _, append, _, _ in events]),
        "e_versions": arrays.integers([version for _, _, version, _ in events]),
        "e_partition_keys": arrays.texts([append.partition_key for _, append, _, _ in events]),
        "e_shards": arrays.small_integers([shard_of(append.partition_key) for _, append, _, _ in events]),
        "e_ids": arrays.uuids([event.event_id for _, _, _, event in events]),
        "e_types": arrays.texts([event.type for _, _, _, event in events]),
        "e_schemas": arrays.small_integers([event.schema for _, _, _, event in events]),
        "e_data": arrays.utf8([event.data for _, _, _, event in events]),
        "e_occurred_at": arrays.moments([event.occurred_at for _, _, _, event in events]),
        "e_actors": arrays.texts([event.actor for _, _, _, event in events]),
        "e_correlations": arrays.uuids([event.correlation_id for _, _, _, event in events]),
        "e_causations": arrays.uuids([event.causation_id for _, _, _, event in events]),
        "e_batches": arrays.uuids([event.batch_id for _, _, _, event in events]),
        **(_of_claims("c", claims) if claims else _NO_CLAIMS),
        **(_of_claims("r", releases) if releases else _NO_RELEASES),
    }


def _of_claims(what: str, claims: Sequence[tuple[int, str, Claim]]) -> dict[str, arrays.Array]:
    return {
        f"{what}_command": arrays.integers([number for number, _, _ in claims]),
        f"{what}_streams": arrays.texts([stream for _, stream, _ in claims]),
        f"{what}_kinds": arrays.texts([claim.kind for _, _, claim in claims]),
        f"{what}_values": arrays.texts([claim.value for _, _, claim in claims]),
    }


_NO_CLAIMS: Final = _of_claims("c", ())
_NO_RELEASES: Final = _of_claims("r", ())
"""What most statements have; made once."""


def outcomes(appends: Sequence[Append], rows: Iterable[tuple[Any, ...]]) -> list[Outcome]:
    """In the order of the appends."""
    found: dict[int, Outcome] = {}
    for command, outcome, version, position, fingerprint, response, kind, value, owner in rows:
        match outcome:
            case "appended":
                found[command] = Appended(version, position)
            case "replayed":
                found[command] = Replayed(bytes(fingerprint), bytes(response), version, position)
            case "moved":
                found[command] = VersionMoved(appends[command - 1].expected_version, version)
            case "taken":
                found[command] = ClaimTaken(Claim(kind, value), owner)
    return [found[number] for number in range(1, len(appends) + 1)]
