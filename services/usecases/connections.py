"""Connections: shops of an organisation, their pricing rules and conflict policies."""

from __future__ import annotations

from typing import cast

from domain.connection.commands import ConnectionCommand, OpenConnection
from domain.connection.decider import NoSuchConnection
from domain.connection.events import ConnectionEvent
from domain.connection.state import Connection, ConnectionState, NotOpened
from domain.messages import CommandContext
from domain.ports import EventStore, Identities
from domain.values import stream_id
from services.usecases.aggregates import CONNECTION
from services.usecases.conditions import Expected, Once, Respond, no_response
from services.usecases.outcome import Done
from services.usecases.repository import Repository
from services.usecases.stored_events import from_store


class Connections:
    def __init__(self, store: EventStore, identities: Identities, *, cached: int = 1_000) -> None:
        self._store = store
        self._repository = Repository(CONNECTION, store, identities, cached=cached)

    async def handle(
        self,
        context: CommandContext,
        connection_id: str,
        command: ConnectionCommand,
        *,
        expected: Expected | None = None,
        once: Once | None = None,
        respond: Respond[ConnectionState] = no_response,
    ) -> Done[ConnectionState, ConnectionEvent]:
        """Raises the refusals of `domain.connection`, DuplicateShop, ShopConnectedElsewhere, StaleVersion, KeyReused,
        TooBusy.
        """
        if isinstance(command, OpenConnection) and command.connection_id != connection_id:
            raise ValueError(f"a command for connection {command.connection_id} was sent to {connection_id}")
        return await self._repository.handle(
            context,
            stream_id("connection", connection_id),
            connection_id,
            command,
            expected=expected,
            once=once,
            respond=respond,
        )

    async def all(self, org_id: str) -> list[tuple[int, Connection]]:
        """Versions and connections by id."""
        found: list[tuple[int, Connection]] = []
        last = ""
        while streams := await self._store.streams_of(org_id, "connection", after=last):
            last = streams[-1]
            for history in (await self._store.read_streams(org_id, streams)).values():
                state = CONNECTION.decider.fold(cast("list[ConnectionEvent]", from_store(history)))
                if isinstance(state, Connection):
                    found.append((history[-1].version, state))
        return sorted(found, key=lambda one: one[1].connection_id)

    async def get(self, org_id: str, connection_id: str) -> tuple[int, Connection]:
        """Version and connection. Raises NoSuchConnection."""
        loaded = await self._repository.load(org_id, stream_id("connection", connection_id))
        if isinstance(loaded.state, NotOpened):
            raise NoSuchConnection(f"there is no connection {connection_id}", connection_id=connection_id)
        return loaded.version, loaded.state
