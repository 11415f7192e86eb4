"""API keys: made once, shown once, kept as a digest, and recognised without asking the database each time.

A key is written `sk_<id>_<secret>`. The id is public and finds the row; the secret is 256 random bits.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct
from psycopg.rows import dict_row

from infrastructure.postgres import statements
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as

SQL: Final = statements.load(Path(__file__).with_name("api_keys.sql"))

_WRITTEN: Final = re.compile(r"sk_([a-z2-7]{12})_([A-Za-z0-9_-]{43})")
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"


class Scope(StrEnum):
    """What a key may do. Values are what is stored and shown."""

    PRODUCTS_READ = "products:read"
    PRODUCTS_WRITE = "products:write"
    SYNC_READ = "sync:read"
    SYNC_WRITE = "sync:write"
    IMPORTS_WRITE = "imports:write"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"
    """Everything."""


_SCOPES: Final = {scope.value: scope for scope in Scope}


class Principal(Struct, frozen=True, kw_only=True):
    """Who calls: a key, and the organisation whose data it sees."""

    key_id: str
    org_id: str
    name: str
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """How events name the caller."""
        return f"key:{self.key_id}"

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key that is in force. `hash` is the SHA-256 of its secret."""

    principal: Principal
    hash: bytes


class KeySummary(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class KeySource(Protocol):
    async def find(self, key_id: str) -> StoredKey | None: ...

    async def mark_used(self, key_id: str) -> None: ...


class ApiKeys:
    """The keys in the database. The pool works as `syncstore_app`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def issue(self, org_id: str, name: str, scopes: Iterable[Scope]) -> str:
        """Make a key and return it as the caller must write it; it cannot be shown again."""
        key_id, secret = new_key()
        row = {"org_id": org_id, "id": key_id, "name": name, "hash": digest(secret), "scopes": sorted(set(scopes))}
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            await connection.execute(SQL["insert_key"], row)
        return written(key_id, secret)

    async def summaries(self, org_id: str) -> Sequence[KeySummary]:
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(SQL["list_keys"], {"org_id": org_id})
                rows = await cursor.fetchall()
        return [KeySummary(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]

    async def revoke(self, org_id: str, key_id: str) -> bool:
        """False when the organisation has no such key in force. Processes notice within `KeyRing.seconds`."""
        async with self._pool.connection() as connection, connection.transaction():
            await see_as(connection, org_id)
            cursor = await connection.execute(SQL["revoke_key"], {"org_id": org_id, "id": key_id})
            return cursor.rowcount == 1

    async def find(self, key_id: str) -> StoredKey | None:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["find_key"], {"id": key_id}, binary=True)
            row = await cursor.fetchone()
        if row is None:
            return None
        org_id, name, hashed, scopes = row
        known = frozenset(_SCOPES[scope] for scope in scopes if scope in _SCOPES)
        return StoredKey(principal=Principal(key_id=key_id, org_id=org_id, name=name, scopes=known), hash=bytes(hashed))

    async def mark_used(self, key_id: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(SQL["mark_used"], {"id": key_id})


class KeyRing:
    """Recognises keys, remembering each id for `seconds`: that long a revoked key may still be let in.

    Ids that do not exist are remembered as well, in a memory of their own, so that guessing neither reaches the
    database twice nor drives out keys in use.
    """

    def __init__(
        self,
        source: KeySource,
        *,
        seconds: float = 5.0,
        capacity: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self._source = source
        self._capacity = capacity
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, StoredKey]] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._looking: dict[str, asyncio.Task[StoredKey | None]] = {}

    async def recognise(self, presented: str) -> Principal | None:
        """Who presents this key; None for whatever is not a key in force."""
        parts = _WRITTEN.fullmatch(presented)
        if parts is None:
            return None
        key_id, secret = parts.groups()
        now = self._monotonic()
        entry = self._known.get(key_id)
        if entry is not None and now < entry[0]:
            stored: StoredKey | None = entry[1]
        elif self._unknown.get(key_id, 0.0) > now:
            stored = None
        else:
            stored = await self._look_up(key_id)
            if stored is not None and _matches(stored, secret):
                await self._source.mark_used(key_id)
        return stored.principal if stored is not None and _matches(stored, secret) else None

    async def _look_up(self, key_id: str) -> StoredKey | None:
        looking = self._looking.get(key_id)
        if looking is None:
            looking = self._looking[key_id] = asyncio.create_task(self._source.find(key_id))
            looking.add_done_callback(lambda _: self._looking.pop(key_id, None))
        # Shielded: the first caller going away must not take the answer from the others.
        stored = await asyncio.shield(looking)
        until = self._monotonic() + self.seconds
        self._known.pop(key_id, None)
        if stored is None:
            _remember(self._unknown, key_id, until, self._capacity)
        else:
            _remember(self._known, key_id, (until, stored), self._capacity)
        return stored


def new_key() -> tuple[str, str]:
    """A fresh id and secret."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12)), secrets.token_urlsafe(32)


def written(key_id: str, secret: str) -> str:
    return f"sk_{key_id}_{secret}"


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _matches(stored: StoredKey, secret: str) -> bool:
    return hmac.compare_digest(stored.hash, digest(secret))


def _remember(memory: OrderedDict[str, Any], key: str, value: Any, capacity: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > capacity:
        memory.popitem(last=False)
