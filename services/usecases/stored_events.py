"""Events of the domain as the event store takes them and gives them back."""

from __future__ import annotations

from collections.abc import Sequence

from domain import events as wire
from domain.events import DomainEvent
from domain.messages import CommandContext, NewEvent, RecordedEvent
from domain.ports import Identities


def to_store(events: Sequence[DomainEvent], context: CommandContext, identities: Identities) -> tuple[NewEvent, ...]:
    """Events as they are appended, each under an id of its own."""
    encoded = [wire.encode(event) for event in events]
    return tuple(
        NewEvent(
            event_id=identities.new(),
            type=name,
            schema=schema,
            data=data,
            occurred_at=context.occurred_at or context.now,
            actor=context.actor,
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            batch_id=context.batch_id,
        )
        for name, schema, data in encoded
    )


def from_store(recorded: Sequence[RecordedEvent]) -> list[DomainEvent]:
    return [wire.decode(event.type, event.schema, event.data) for event in recorded]
