"""What a shop tells us by itself: verified over its raw bytes, kept before it is acknowledged, acted upon later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from domain.errors import SyncStoreError
from domain.values import Platform
from infrastructure.platforms.shopee import webhook as shopee
from infrastructure.postgres.errors import translated
from infrastructure.postgres.pool import Pool
from infrastructure.postgres.sight import see_as
from infrastructure.security.sealing import CannotUnseal
from infrastructure.shops import inbox, lanes
from infrastructure.shops.secrets import NoSecrets, SecretsStore

log: structlog.stdlib.BoundLogger = structlog.get_logger()


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
class Notifications:
    pool: Pool
    """Works as `syncstore_app`."""
    secrets: SecretsStore
    public_url: str
    """As it was registered at the platform, without the path."""

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
            keys = [secrets.app_key, *([secrets.push_key] if secrets.push_key else [])]
            try:
                message = shopee.receive(
                    keys=keys, callback_url=self.callback_url(platform), raw_body=body, signature=signature
                )
            except shopee.PushRefused as refused:
                log.warning("notification_refused", connection_id=connection_id, reason=str(refused))
                raise (NotReadable if refused.genuine else NotGenuine)(str(refused)) from refused
            async with self.pool.connection() as connection, connection.transaction():
                await see_as(connection, org_id)
                return await inbox.accept(
                    connection, org_id=org_id, connection_id=connection_id, dedupe_key=message.key, body=body
                )


def _shop_of(body: bytes) -> str | None:
    """None where the notification names no shop.

    Raises NotReadable.
    """
    try:
        addressed = msgspec.json.decode(body, type=_Addressed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotReadable(f"not JSON of a notification: {error}") from error
    return None if addressed.shop_id is None else str(addressed.shop_id)
