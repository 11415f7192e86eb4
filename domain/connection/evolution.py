"""What each event makes of a connection."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import asdict, replace

from domain.connection import events
from domain.connection.state import Connection, ConnectionState, NotOpened, Paused


def evolve(state: ConnectionState, event: events.ConnectionEvent) -> ConnectionState:
    match state:
        case NotOpened():
            return Connection(**asdict(event)) if isinstance(event, events.ConnectionOpened) else state
        case Connection():
            return _evolve(state, event)
        case _:
            assert_never(state)


def _evolve(connection: Connection, event: events.ConnectionEvent) -> Connection:
    match event:
        case events.ConnectionOpened():
            return connection
        case events.PricingRuleChanged(new=rule):
            return replace(connection, pricing_rule=rule)
        case events.ConflictPolicyChanged(new=policy):
            return replace(connection, conflict_policy=policy)
        case events.CategoriesChanged(new=categories):
            return replace(connection, categories=categories)
        case events.ConnectionPaused(reason=reason, needs_person=needs_person):
            return replace(connection, paused=Paused(reason, needs_person))
        case events.ConnectionResumed():
            return replace(connection, paused=None)
        case _:
            assert_never(event)
