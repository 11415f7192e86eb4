"""Looks at a shop for changes that are not ours: where a notification points, what was updated lately, at times all.

What is seen is told to the listing, which knows an echo of our own pushes from somebody else's change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter

from domain.connection.state import Connection
from domain.messages import CommandContext
from domain.ports import Clock, Identities
from domain.values import Platform
from infrastructure.platforms.connector import Connector, ExternalListing, PlatformCallFailed
from infrastructure.platforms.hints import LostPush, PushMessage
from infrastructure.platforms.shopee import webhook as shopee_webhook
from infrastructure.postgres.pool import Pool
from infrastructure.shops import inbox, items, lanes
from infrastructure.shops.lanes import Lane
from services.consumers.observing import tell, tell_gone
from services.usecases.listings import Listings

ACTOR = "system:watch"
INBOX_SECONDS = 0.1
"""Between two looks into the inbox."""
OVERLAP = timedelta(minutes=5)
"""Shops' clocks and ours differ; what is looked at twice is not told twice."""
PAGE = 50

OBSERVED = Counter("syncstore_shop_items_observed_total", "Items at shops that were compared", ["connection", "source"])

UNDERSTAND: dict[Platform, Callable[[bytes], PushMessage]] = {Platform.SHOPEE: shopee_webhook.understand}

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(slots=True)
class Watch:
    """Watches one shop for as long as this process holds its lane."""

    lane: Lane
    owner: str
    connector: Connector
    connection: Callable[[], Awaitable[Connection]]
    pool: Pool
    listings: Listings
    clock: Clock
    identities: Identities
    poll_every: timedelta
    scan_every: timedelta

    async def run(self) -> None:
        """Until cancelled."""
        watched, scanned = self.lane.watched_until, self.lane.full_scan_at
        while True:
            try:
                if (await self.connection()).paused is None:
                    await self._follow_notifications()
                    now = self.clock.now()
                    if scanned is None or now - scanned >= self.scan_every:
                        await self._look_for_missing(await self._look("scan", None))
                        watched = scanned = now
                        await self._remember(watched, scanned)
                    elif watched is None or now - watched >= self.poll_every:
                        await self._take_up_lost_notifications()
                        await self._look("poll", (watched or now) - OVERLAP)
                        watched = now
                        await self._remember(watched, None)
            except PlatformCallFailed as failed:
                log.warning(
                    "shop_not_watched",
                    connection_id=self.lane.connection_id,
                    code=failed.error.code,
                    error_class=failed.error.error_class.value,
                )
                await asyncio.sleep(failed.error.retry_after or 5.0)
            except Exception:
                log.exception("shop_watch_stumbled", connection_id=self.lane.connection_id)
                await asyncio.sleep(5.0)
            await asyncio.sleep(INBOX_SECONDS)

    async def _remember(self, watched: datetime | None, scanned: datetime | None) -> None:
        async with self.pool.connection() as connection:
            await lanes.watched(connection, self.lane, owner=self.owner, watched_until=watched, full_scan_at=scanned)

    async def _follow_notifications(self) -> None:
        async with self.pool.connection() as connection:
            waiting = await inbox.waiting(connection, org_id=self.lane.org_id, connection_id=self.lane.connection_id)
        if not waiting:
            return
        understand = UNDERSTAND[Platform(self.lane.platform)]
        pointed_at = {
            hint.external_id for _, body in waiting for hint in understand(body).hints if hint.external_id is not None
        }
        await self._compare(sorted(pointed_at), "push")
        async with self.pool.connection() as connection:
            await inbox.handled(connection, [number for number, _ in waiting])

    async def _take_up_lost_notifications(self) -> None:
        """Stored before they are confirmed. Looking at what was updated goes on when the shop will not tell of them."""
        try:
            more = True
            while more:
                lost = await self.connector.lost_pushes()
                for push in lost.messages:
                    await self._store(push)
                if lost.token is not None:
                    await self.connector.confirm_lost_pushes(lost.token)
                more = lost.more and lost.token is not None
        except PlatformCallFailed as failed:
            log.warning("lost_notifications_not_read", connection_id=self.lane.connection_id, code=failed.error.code)

    async def _store(self, push: LostPush) -> None:
        """Into the inbox of its shop, whichever that is: the platform keeps them for the application as a whole."""
        if push.shop_id is None:
            return
        async with self.pool.connection() as connection:
            whose = await lanes.shop_of(connection, platform=self.lane.platform, shop_id=push.shop_id)
            if whose is not None:
                org_id, connection_id = whose
                await inbox.accept(
                    connection, org_id=org_id, connection_id=connection_id, dedupe_key=push.key, body=push.body
                )

    async def _look(self, source: str, updated_since: datetime | None) -> set[str]:
        """The ids of what the shop lists."""
        listed: set[str] = set()
        cursor: str | None = None
        while True:
            page = await self.connector.list_listings(cursor, updated_since)
            external_ids = [item.external_id for item in page.items]
            await self._compare(external_ids, source)
            listed.update(external_ids)
            cursor = page.next_cursor
            if cursor is None:
                return listed

    async def _look_for_missing(self, listed: set[str]) -> None:
        """Items of ours that the shop does not list: deleted there, most likely. Each is asked for by itself, for a
        page may lack an item, and a question about several may fail because of one.
        """
        async with self.pool.connection() as connection:
            ours = await items.all_of(connection, org_id=self.lane.org_id, connection_id=self.lane.connection_id)
        shop = await self.connection()
        for external_id in ours.keys() - listed:
            seen_at = self.clock.now()
            found = await self.connector.read_listings((external_id,))
            if found:
                await self._tell(ours[external_id], found[0], shop, "scan", seen_at)
            else:
                await tell_gone(self.listings, self._context(), ours[external_id], shop, source="scan", seen_at=seen_at)

    async def _compare(self, external_ids: Sequence[str], source: str) -> None:
        async with self.pool.connection() as connection:
            ours = await items.listings_of(
                connection,
                org_id=self.lane.org_id,
                connection_id=self.lane.connection_id,
                external_ids=external_ids,
            )
        shop = await self.connection()
        known = [external_id for external_id in external_ids if external_id in ours]
        for page in _pages(known, PAGE):
            # Before the call: what a push of ours changes while we read must count as the newer.
            seen_at = self.clock.now()
            for shown in await self.connector.read_listings(tuple(page)):
                await self._tell(ours[shown.external_id], shown, shop, source, seen_at)

    async def _tell(
        self, listing_id: str, shown: ExternalListing, shop: Connection, source: str, seen_at: datetime
    ) -> None:
        await tell(self.listings, self._context(), listing_id, shown, shop, source=source, seen_at=seen_at)
        OBSERVED.labels(self.lane.connection_id, source).inc()

    def _context(self) -> CommandContext:
        return CommandContext(
            org_id=self.lane.org_id,
            actor=ACTOR,
            now=self.clock.now(),
            correlation_id=self.identities.new(),
            causation_id=None,
        )


def _pages(ids: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
