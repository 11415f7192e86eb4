"""What a shop tells us by itself: verified over its raw bytes, kept before it is acknowledged, acted upon later."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
import structlog
from msgspec import Meta, Struct

from domain.errors import SyncStoreError
from domain.values import Platform
from infrastructure.platforms.hints import PushMessage
from infrastructure.platforms.shopee import webhook as shopee
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as
from infrastructure.security.sealing import CannotUnseal
from infrastructure.shops import inbox, lanes
from infrastructure.shops.secrets import NoSecrets, SecretsStore

log: structlog.stdlib.BoundLogger = structlog.get_logger()

KNOWN_SECONDS: Final = 10.0
"""How long a key that was taken back still opens notifications; none carries truth. A new one fits at once."""


class ShopUnknown(SyncStoreError):
    """No connection of this installation is for this shop, or it has no keys to check the signature with."""


class NotCheckable(SyncStoreError):
    """The shop's keys are kept under an encryption key that is not at hand: a genuine one cannot be told."""


class NotGenuine(SyncStoreError):
    """The signature does not fit the body and the address it was sent to."""


class NotReadable(SyncStoreError):
    """Not a notification of this platform."""


class _Addressed(Struct):
    """The one thing that is read before the signature is checked: whose key to check it with."""

    shop_id: int | Annotated[str, Meta(pattern="^[A-Za-z0-9_.:-]{1,100}$")] | None = None


@dataclass(frozen=True, slots=True)
class _Shop:
    """Whose a shop is and what it signs with, as known since `seen` (seconds of the monotonic clock)."""

    org_id: str
    connection_id: str
    keys: tuple[str, ...]
    seen: float


@dataclass(frozen=True, slots=True)
class Notifications:
    pool: Pool
    """Works as `syncstore_app`."""
    secrets: SecretsStore
    public_url: str
    """As it was registered at the platform, without the path."""
    _known: dict[tuple[Platform, str], _Shop] = field(default_factory=dict)

    def callback_url(self, platform: Platform) -> str:
        return f"{self.public_url}/api/webhooks/{platform.value}"

    async def accept(self, platform: Platform, body: bytes, signature: str) -> bool:
        """False when the same notification had been accepted before.

        Raises ShopUnknown, NotCheckable, NotGenuine, NotReadable, DatabaseUnavailable.
        """
        shop_id = _shop_of(body)
        if shop_id is None:
            return False  # a registration check: there is nothing to keep
        with translated():
            shop, message = await self._opened(platform, shop_id, body, signature)
            async with self.pool.connection() as connection, connection.pipeline():  # one transaction until its end
                await see_as(connection, shop.org_id)
                return await inbox.accept(
                    connection,
                    org_id=shop.org_id,
                    connection_id=shop.connection_id,
                    dedupe_key=message.key,
                    body=body,
                )

    async def _opened(self, platform: Platform, shop_id: str, body: bytes, signature: str) -> tuple[_Shop, PushMessage]:
        """What is remembered of the shop will do, unless the signature does not fit it: the keys may be others now."""
        known = self._known.get((platform, shop_id))
        if known is not None and time.monotonic() - known.seen < KNOWN_SECONDS:
            with contextlib.suppress(shopee.PushRefused):
                return known, self._checked(platform, known, body, signature)
        shop = self._known[platform, shop_id] = await self._look_up(platform, shop_id)
        try:
            return shop, self._checked(platform, shop, body, signature)
        except shopee.PushRefused as refused:
            log.warning("notification_refused", connection_id=shop.connection_id, reason=str(refused))
            raise (NotReadable if refused.genuine else NotGenuine)(str(refused)) from refused

    def _checked(self, platform: Platform, shop: _Shop, body: bytes, signature: str) -> PushMessage:
        return shopee.receive(
            keys=shop.keys, callback_url=self.callback_url(platform), raw_body=body, signature=signature
        )

    async def _look_up(self, platform: Platform, shop_id: str) -> _Shop:
        async with self.pool.connection() as connection:
            found = await lanes.shop_of(connection, platform=platform.value, shop_id=shop_id)
        if found is None:
            log.warning("notification_for_unknown_shop", platform=platform.value, shop_id=shop_id)
            raise ShopUnknown(f"no connection is for shop {shop_id}")
        org_id, connection_id = found
        try:
            secrets, _ = await self.secrets.read(org_id, connection_id)
        except NoSecrets as error:
            log.warning("notification_for_shop_without_keys", connection_id=connection_id)
            raise ShopUnknown(str(error)) from error
        except CannotUnseal as error:
            log.error(  # noqa: TRY400  # the reason says it all
                "notification_not_checkable",
                connection_id=connection_id,
                setting="SYNCSTORE_ENCRYPTION_KEYS",
                reason=str(error),
            )
            raise NotCheckable("the keys of this shop cannot be opened at this moment") from error
        keys = (secrets.app_key, *([secrets.push_key] if secrets.push_key else []))
        return _Shop(org_id, connection_id, keys, time.monotonic())


def _shop_of(body: bytes) -> str | None:
    """None where the notification names no shop.

    Raises NotReadable.
    """
    try:
        addressed = msgspec.json.decode(body, type=_Addressed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotReadable(f"not JSON of a notification: {error}") from error
    return None if addressed.shop_id is None else str(addressed.shop_id)
