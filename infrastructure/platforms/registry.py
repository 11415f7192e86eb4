"""Which connector speaks to which platform."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

import httpx
from msgspec import Struct

from domain.errors import SyncStoreError
from domain.values import Platform
from infrastructure.platforms.connector import Capabilities, Connector
from infrastructure.platforms.explanations import Explanation, explain, hint_of
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.pace import Pace
from infrastructure.platforms.shopee import capabilities as shopee
from infrastructure.platforms.shopee import errors as shopee_errors
from infrastructure.platforms.shopee.client import ShopeeConnector
from infrastructure.platforms.shopee.transport import ShopeeAccount, ShopeeSession, ShopeeTransport
from infrastructure.platforms.tokens import RotatingTokens, Tokens, TokenVault


class PlatformNotSupported(SyncStoreError):
    """There is no connector for this platform."""


class Access(Struct, frozen=True, kw_only=True):
    """How to reach one shop. `app_id` and `app_key` are what the platform has given the app that calls it."""

    platform: Platform
    host: str
    app_id: str
    app_key: str
    shop_id: str
    rate: float = 5.0
    """Calls a second."""

    def __repr__(self) -> str:
        return f"Access(platform={self.platform.value!r}, host={self.host!r}, shop_id={self.shop_id!r})"


class Surroundings(Struct, frozen=True, kw_only=True):
    """What every connector needs from the process it lives in; it closes none of it."""

    http: httpx.AsyncClient
    images: ImageSource
    now: Callable[[], datetime]


class Factory(Protocol):
    def __call__(self, access: Access, vault: TokenVault, surroundings: Surroundings) -> Connector: ...


def connect(access: Access, vault: TokenVault, surroundings: Surroundings) -> Connector:
    """A connector; no call is made yet. Raises `PlatformNotSupported`."""
    factory = FACTORIES.get(access.platform)
    if factory is None:
        known = ", ".join(platform.value for platform in FACTORIES)
        raise PlatformNotSupported(f"there is no connector for {access.platform.value}; there is one for {known}")
    return factory(access, vault, surroundings)


def _shopee(access: Access, vault: TokenVault, surroundings: Surroundings) -> Connector:
    account = shopee_account(access)
    transport = ShopeeTransport(account, surroundings.http, surroundings.now)
    tokens = RotatingTokens(vault, transport.spend_refresh_token, surroundings.now)
    return ShopeeConnector(ShopeeSession(transport, tokens, Pace(access.rate)), surroundings.images, surroundings.now)


def shopee_account(access: Access) -> ShopeeAccount:
    return ShopeeAccount(
        host=access.host, partner_id=int(access.app_id), partner_key=access.app_key, shop_id=int(access.shop_id)
    )


async def first_tokens(access: Access, surroundings: Surroundings, code: str) -> Tokens:
    """The first pair, for the code that the seller's authorisation has brought.

    Raises `PlatformCallFailed`, `PlatformNotSupported`.
    """
    exchange = EXCHANGES.get(access.platform)
    if exchange is None:
        raise PlatformNotSupported(f"there is no connector for {access.platform.value}")
    return await exchange(access, surroundings, code)


async def _shopee_first_tokens(access: Access, surroundings: Surroundings, code: str) -> Tokens:
    return await ShopeeTransport(shopee_account(access), surroundings.http, surroundings.now).spend_code(code)


def explanation_of(platform: Platform, code: str, message: str) -> Explanation:
    """What a listing's code means, ours or the platform's; `message` tells apart what a code leaves open."""
    hint = hint_of(code)
    if hint in {None, "unknown"} and (theirs := HINTS.get(platform)) is not None:
        hint = theirs(code, message)
    return explain(hint or "unknown")


FACTORIES: Final[Mapping[Platform, Factory]] = {Platform.SHOPEE: _shopee}
EXCHANGES: Final[Mapping[Platform, Callable[[Access, Surroundings, str], Awaitable[Tokens]]]] = {
    Platform.SHOPEE: _shopee_first_tokens
}
CAPABILITIES: Final[Mapping[Platform, Capabilities]] = {Platform.SHOPEE: shopee.CAPABILITIES}
"""What each platform takes where a shop says nothing else."""
HINTS: Final[Mapping[Platform, Callable[[str, str], str]]] = {Platform.SHOPEE: shopee_errors.hint_of}
"""From a platform's own code and message to the key of an explanation."""
