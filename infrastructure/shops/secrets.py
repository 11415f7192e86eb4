"""Keys and tokens of a shop, sealed in the database; they are in no event, no log and no view."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.errors import SyncStoreError
from domain.values import Platform
from infrastructure.platforms.registry import Access
from infrastructure.postgres import statements
from infrastructure.postgres.sight import see_as
from infrastructure.security.sealing import Sealer

SQL: Final = statements.load(Path(__file__).with_name("secrets.sql"))

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class NoSecrets(SyncStoreError):
    """The connection has no keys or tokens: it was never authorised here."""


class ShopSecrets(Struct, frozen=True, kw_only=True):
    """Everything that a connector needs to speak for the shop. Never printed."""

    platform: Platform
    host: str
    """Such as https://partner.shopeemobile.com, without a path."""
    app_id: str
    app_key: str
    shop_id: str
    rate: float = 5.0
    """Calls a second that the application may make for this shop."""
    push_key: str | None = None
    """A separate key for notifications, where the platform's console shows one."""
    access_token: str
    refresh_token: str
    access_expires_at: float
    """Unix seconds."""

    def __repr__(self) -> str:
        return f"ShopSecrets(platform={self.platform.value!r}, shop_id={self.shop_id!r})"

    @property
    def access(self) -> Access:
        return Access(
            platform=self.platform,
            host=self.host,
            app_id=self.app_id,
            app_key=self.app_key,
            shop_id=self.shop_id,
            rate=self.rate,
        )


class SecretsStore:
    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool = pool
        self._sealer = sealer

    async def read(self, org_id: str, connection_id: str) -> tuple[ShopSecrets, int]:
        """The secrets and their revision.

        Raises NoSecrets, CannotUnseal.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            cursor = await connection.execute(
                SQL["read_secrets"], {"org_id": org_id, "connection_id": connection_id}, binary=True
            )
            row = await cursor.fetchone()
        if row is None:
            raise NoSecrets(f"connection {connection_id!r} has no keys; connect the shop again")
        plain = self._sealer.open(bytes(row[0]), bound_to=_record(org_id, connection_id))
        return msgspec.json.decode(plain, type=ShopSecrets), row[1]

    async def check(self) -> None:
        """Open some of what each key has sealed, of all organisations.

        Raises CannotUnseal.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["samples"], binary=True)
            for org_id, connection_id, sealed in await cursor.fetchall():
                self._sealer.open(bytes(sealed), bound_to=_record(org_id, connection_id))

    async def authorisation(self, org_id: str, connection_id: str) -> int:
        """Another figure when a person has brought new secrets; a renewal of tokens leaves it.

        Raises NoSecrets.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            asked = {"org_id": org_id, "connection_id": connection_id}
            row = await (await connection.execute(SQL["read_authorisation"], asked)).fetchone()
        if row is None:
            raise NoSecrets(f"connection {connection_id!r} has no keys; connect the shop again")
        return int(row[0])

    async def write(self, org_id: str, connection_id: str, secrets: ShopSecrets) -> None:
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            await connection.execute(SQL["write_secrets"], self._parameters(org_id, connection_id, secrets))

    async def replace(self, org_id: str, connection_id: str, secrets: ShopSecrets, *, revision: int) -> bool:
        """False when somebody else has replaced them since `revision` was read; theirs are the ones to use."""
        parameters = self._parameters(org_id, connection_id, secrets) | {"revision": revision}
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            cursor = await connection.execute(SQL["replace_secrets"], parameters)
            return cursor.rowcount == 1

    def _parameters(self, org_id: str, connection_id: str, secrets: ShopSecrets) -> dict[str, Any]:
        sealed = self._sealer.seal(msgspec.json.encode(secrets), bound_to=_record(org_id, connection_id))
        return {"org_id": org_id, "connection_id": connection_id, "sealed": sealed}


def _record(org_id: str, connection_id: str) -> str:
    return f"shop_secrets/{org_id}/{connection_id}"
