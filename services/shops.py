"""From a shop's sealed secrets to a connector that speaks for it; and how those secrets come about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from domain.policies.price_checks import PriceBounds
from domain.values import Platform
from infrastructure.platforms.connector import Connector
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.registry import CAPABILITIES, Access, Surroundings, connect, first_tokens
from infrastructure.platforms.tokens import Tokens
from infrastructure.postgres.pool import Pool
from infrastructure.shops.lanes import Lane
from infrastructure.shops.secrets import SecretsStore, ShopSecrets
from infrastructure.shops.vault import DatabaseVault

CONNECTIONS = 16
"""HTTP connections to all shops of this process together."""


@dataclass(frozen=True, slots=True)
class Shops:
    http: httpx.AsyncClient
    images: ImageSource
    pool: Pool
    secrets: SecretsStore
    now: Callable[[], datetime]

    async def connector(self, lane: Lane) -> tuple[Connector, int]:
        """A connector and the authorisation it was made under.

        Raises NoSecrets, CannotUnseal, PlatformNotSupported.
        """
        authorisation = await self.authorisation(lane)
        secrets, _ = await self.secrets.read(lane.org_id, lane.connection_id)
        vault = DatabaseVault(self.secrets, self.pool, lane.org_id, lane.connection_id)
        return connect(secrets.access, vault, self._surroundings), authorisation

    async def authorisation(self, lane: Lane) -> int:
        """The one in force; another one than a connector's means that it should be made anew. Raises NoSecrets."""
        return await self.secrets.authorisation(lane.org_id, lane.connection_id)

    async def redeem(self, access: Access, code: str) -> Tokens:
        """The first tokens, for the code that the seller's authorisation has brought.

        Raises PlatformCallFailed, PlatformNotSupported.
        """
        return await first_tokens(access, self._surroundings, code)

    async def authorise(
        self, org_id: str, connection_id: str, access: Access, tokens: Tokens, *, push_key: str | None = None
    ) -> None:
        """Keep what is needed to speak for a shop, in place of what was kept before."""
        secrets = ShopSecrets(
            platform=access.platform,
            host=access.host,
            app_id=access.app_id,
            app_key=access.app_key,
            shop_id=access.shop_id,
            rate=access.rate,
            push_key=push_key,
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            access_expires_at=tokens.expires_at.timestamp(),
        )
        await self.secrets.write(org_id, connection_id, secrets)

    @property
    def _surroundings(self) -> Surroundings:
        return Surroundings(http=self.http, images=self.images, now=self.now)


def images_max() -> dict[Platform, int]:
    """How many pictures each platform takes of an item."""
    return {platform: limits.images_max for platform, limits in CAPABILITIES.items()}


def price_bounds() -> dict[Platform, PriceBounds]:
    """What each platform takes as prices."""
    return {
        platform: PriceBounds(minimum=limits.price_min, maximum=limits.price_max, max_variant_ratio=limits.price_spread)
        for platform, limits in CAPABILITIES.items()
    }
