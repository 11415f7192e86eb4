"""From a shop's sealed secrets to a connector that speaks for it; and how a shop is connected at first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from domain.connection.commands import OpenConnection
from domain.messages import CommandContext
from domain.policies.price_checks import PriceBounds
from domain.values import Platform
from infrastructure.platforms.connector import Connector
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.registry import CAPABILITIES, Access, Surroundings, connect, first_tokens
from infrastructure.postgres.pool import Pool
from infrastructure.shops.lanes import Lane
from infrastructure.shops.secrets import SecretsStore, ShopSecrets
from infrastructure.shops.vault import DatabaseVault
from services.usecases.connections import Connections

CONNECTIONS = 16
"""HTTP connections to all shops of this process together."""


@dataclass(frozen=True, slots=True)
class Shops:
    http: httpx.AsyncClient
    images: ImageSource
    pool: Pool
    secrets: SecretsStore
    connections: Connections
    now: Callable[[], datetime]

    async def connector(self, lane: Lane) -> Connector:
        """Raises NoSecrets, CannotUnseal, PlatformNotSupported."""
        secrets, _ = await self.secrets.read(lane.org_id, lane.connection_id)
        vault = DatabaseVault(self.secrets, self.pool, lane.org_id, lane.connection_id)
        return connect(secrets.access, vault, self._surroundings)

    async def open(
        self,
        context: CommandContext,
        command: OpenConnection,
        access: Access,
        *,
        code: str,
        push_key: str | None = None,
    ) -> None:
        """Redeem the seller's authorisation code, keep the tokens, and open the connection.

        Raises PlatformCallFailed, PlatformNotSupported and the refusals of `domain.connection`.
        """
        tokens = await first_tokens(access, self._surroundings, code)
        await self.secrets.write(
            context.org_id,
            command.connection_id,
            ShopSecrets(
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
            ),
        )
        await self.connections.handle(context, command.connection_id, command)

    @property
    def _surroundings(self) -> Surroundings:
        return Surroundings(http=self.http, images=self.images, now=self.now)


def price_bounds() -> dict[Platform, PriceBounds]:
    """What each platform takes as prices."""
    return {
        platform: PriceBounds(minimum=limits.price_min, maximum=limits.price_max, max_variant_ratio=limits.price_spread)
        for platform, limits in CAPABILITIES.items()
    }
