"""One shop's token pair in the database, held exclusively while it is renewed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from infrastructure.platforms.tokens import Tokens
from infrastructure.shops.secrets import SecretsStore


class DatabaseVault:
    """Implements `infrastructure.platforms.tokens.TokenVault`, over all processes that share the database."""

    def __init__(
        self, secrets: SecretsStore, pool: AsyncConnectionPool[AsyncConnection[Any]], org_id: str, connection_id: str
    ) -> None:
        self._secrets = secrets
        self._pool = pool
        self._org_id = org_id
        self._connection_id = connection_id

    async def load(self) -> Tokens:
        secrets, _ = await self._secrets.read(self._org_id, self._connection_id)
        return Tokens(
            access_token=secrets.access_token,
            refresh_token=secrets.refresh_token,
            expires_at=datetime.fromtimestamp(secrets.access_expires_at, UTC),
        )

    async def save(self, tokens: Tokens) -> None:
        secrets, revision = await self._secrets.read(self._org_id, self._connection_id)
        renewed = replace(
            secrets,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            access_expires_at=tokens.expires_at.timestamp(),
        )
        await self._secrets.replace(self._org_id, self._connection_id, renewed, revision=revision)

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        # A transaction-scoped advisory lock: it goes with its connection, so a killed process holds up nobody.
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"shop_tokens/{self._org_id}/{self._connection_id}",),
            )
            yield
