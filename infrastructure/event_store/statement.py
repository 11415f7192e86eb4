"""Appends as the parameters of one statement, and its rows as outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from domain.errors import SyncStoreError
from domain.messages import Append, Appended, Claim, ClaimTaken, Outcome, Replayed, VersionMoved
from infrastructure.outbox.shards import shard_of

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


def parameters(org_id: str, appends: Sequence[Append]) -> dict[str, Any]:
    """Arrays aligned by command, by event, by claim and by release; commands count from 1."""
    events = [(number, event) for number, append in enumerate(appends, 1) for event in append.events]
    claims = [(number, claim) for number, append in enumerate(appends, 1) for claim in append.claims]
    releases = [(number, claim) for number, append in enumerate(appends, 1) for claim in append.releases]
    keyed = [append.idempotency for append in appends]
    return {
        "org_id": org_id,
        "streams": [append.stream_id for append in appends],
        "partition_keys": [append.partition_key for append in appends],
        "shards": [shard_of(append.partition_key) for append in appends],
        "expected": [append.expected_version for append in appends],
        "events": [len(append.events) for append in appends],
        "keys": [key and key.key for key in keyed],
        "fingerprints": [key and key.fingerprint for key in keyed],
        "responses": [key and key.response for key in keyed],
        "e_command": [number for number, _ in events],
        "e_ids": [event.event_id for _, event in events],
        "e_types": [event.type for _, event in events],
        "e_schemas": [event.schema for _, event in events],
        "e_data": [event.data.decode() for _, event in events],
        "e_occurred_at": [event.occurred_at for _, event in events],
        "e_actors": [event.actor for _, event in events],
        "e_correlations": [event.correlation_id for _, event in events],
        "e_causations": [event.causation_id for _, event in events],
        "e_batches": [event.batch_id for _, event in events],
        "c_command": [number for number, _ in claims],
        "c_kinds": [claim.kind for _, claim in claims],
        "c_values": [claim.value for _, claim in claims],
        "r_command": [number for number, _ in releases],
        "r_kinds": [claim.kind for _, claim in releases],
        "r_values": [claim.value for _, claim in releases],
    }


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
