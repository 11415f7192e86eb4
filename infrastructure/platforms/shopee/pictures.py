"""Pictures of listings: uploaded once, then known by their ids at Shopee."""

from __future__ import annotations

from collections.abc import Sequence

from domain.policies.retry import ErrorClass
from domain.values import Image
from infrastructure.platforms.at_once import at_once
from infrastructure.platforms.connector import PlatformCallFailed, PlatformError
from infrastructure.platforms.images import ImageSource
from infrastructure.platforms.shopee import requests, rows, wire
from infrastructure.platforms.shopee.envelope import parse
from infrastructure.platforms.shopee.transport import ShopeeSession


class Pictures:
    def __init__(self, session: ShopeeSession, source: ImageSource) -> None:
        self._session = session
        self._source = source
        self._uploaded: dict[str, str] = {}

    async def ids(self, images: tuple[Image, ...]) -> list[str]:
        """Ids at Shopee. A URL is uploaded once per connector; anything that is not a URL is taken for an id."""
        ordered = [image.url for image in sorted(images, key=lambda image: not image.primary)]
        missing = [url for url in dict.fromkeys(ordered) if "://" in url and url not in self._uploaded]
        for start in range(0, len(missing), requests.IMAGES_PER_UPLOAD):
            together = missing[start : start + requests.IMAGES_PER_UPLOAD]
            contents = await at_once([self._source.fetch(url) for url in together])
            self._uploaded.update(zip(together, await self._upload(contents), strict=True))
        return [self._uploaded.get(url, url) for url in ordered]

    async def _upload(self, contents: Sequence[bytes]) -> list[str]:
        """Ids in the order of the pictures; one that is refused refuses all."""
        uploads = parse((await self._session.ask(requests.upload_image(contents))).response, wire.Uploads)
        for row in uploads.image_info_list or ():
            if row.error:
                raise PlatformCallFailed(
                    PlatformError(
                        error_class=ErrorClass.VALID, code=row.error, message=row.message or "", hint="image_refused"
                    )
                )
        stored = [
            row.image_info.image_id for row in sorted(uploads.image_info_list or (), key=_place) if row.image_info
        ]
        if not stored and uploads.image_info is not None:
            stored = [uploads.image_info.image_id]
        if len(stored) != len(contents):
            raise PlatformCallFailed(rows.no_proof(f"{len(contents)} pictures were sent, {len(stored)} ids came back"))
        return stored


def _place(row: wire.UploadRow) -> int:
    return row.id
