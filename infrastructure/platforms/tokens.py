"""Access tokens that die and are renewed, with refresh tokens that can be spent only once.

Two parallel refreshes would spend the same refresh token and cut the chain for good, so a refresh happens while the
vault is held exclusively, and whoever comes second finds the new pair there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from msgspec import Struct

_EPOCH_FROM: Final = 1_000_000_000


class Tokens(Struct, frozen=True, kw_only=True):
    access_token: str
    refresh_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at.isoformat()})"


class TokenSource(Protocol):
    async def current(self) -> Tokens: ...

    async def refresh(self, stale: Tokens) -> Tokens:
        """A pair newer than `stale`, which may be one that somebody else has fetched. Raises `PlatformCallFailed`."""
        ...


class TokenVault(Protocol):
    """Where one shop's pair is kept."""

    async def load(self) -> Tokens: ...

    async def save(self, tokens: Tokens) -> None: ...

    def exclusively(self) -> AbstractAsyncContextManager[None]:
        """Held by one at a time, over all processes that share the pair."""
        ...


class MemoryVault:
    """A pair that lives as long as this process and is not shared with another."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._lock = asyncio.Lock()

    async def load(self) -> Tokens:
        return self._tokens

    async def save(self, tokens: Tokens) -> None:
        self._tokens = tokens

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        async with self._lock:
            yield


class RotatingTokens:
    """A `TokenSource` over a vault. `exchange` spends a refresh token for a new pair."""

    def __init__(
        self, vault: TokenVault, exchange: Callable[[str], Awaitable[Tokens]], now: Callable[[], datetime]
    ) -> None:
        self._vault = vault
        self._exchange = exchange
        self._now = now
        self._known: Tokens | None = None

    async def current(self) -> Tokens:
        if self._known is None or self._known.expires_at <= self._now():
            self._known = await self._vault.load()
        return self._known

    async def refresh(self, stale: Tokens) -> Tokens:
        # Shielded: a caller that gives up after the exchange must not take the only copy of the new pair with it.
        return await asyncio.shield(asyncio.ensure_future(self._refresh(stale)))

    async def _refresh(self, stale: Tokens) -> Tokens:
        async with self._vault.exclusively():
            tokens = await self._vault.load()
            if tokens.access_token == stale.access_token:
                tokens = await self._exchange(tokens.refresh_token)
                await self._vault.save(tokens)
        self._known = tokens
        return tokens


def expiry(expire_in: int, now: datetime) -> datetime:
    """Seconds from now; figures above 1e9 are an epoch, which one of Shopee's own samples holds."""
    if expire_in > _EPOCH_FROM:
        return datetime.fromtimestamp(expire_in, UTC)
    return now + timedelta(seconds=expire_in)
