"""What the demonstration uses as its audience would: the HTTP API, and the simulated shop's pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx

from domain.errors import SyncStoreError

PATIENCE: Final = 20
"""How often a read is tried."""


class UnexpectedAnswer(SyncStoreError):
    """The API or the simulator did not answer as the demonstration needs."""


@dataclass(frozen=True, slots=True)
class Api:
    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """Asked again as Retry-After says while the API is not ready to answer."""
        for _ in range(PATIENCE):
            answer = await self.http.get(path, params=query)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        return _body(answer)

    async def command(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Under an idempotency key, so that a repetition is harmless."""
        headers = {"Idempotency-Key": str(uuid4())}
        return _body(await self.http.request(method, path, json=body, headers=headers))

    async def pages(self, path: str, **query: Any) -> AsyncIterator[Any]:
        cursor: str | None = None
        while True:
            page = await self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def product_id(self, sku: str) -> str:
        page = await self.get("/api/v2/products", sku=sku)
        if not page["items"]:
            raise UnexpectedAnswer(f"the catalogue has no product with SKU {sku}")
        return str(page["items"][0]["id"])


@dataclass(frozen=True, slots=True)
class ShopSimulator:
    http: httpx.AsyncClient

    async def state(self) -> Any:
        return _body(await self.http.get("/_simulator/state"))

    async def items(self) -> dict[str, Any]:
        """By the SKU of the product."""
        return {item["sku"]: item for item in (await self.state())["items"]}

    async def edit_price(self, item: dict[str, Any], model: dict[str, Any], price: int) -> None:
        """As a person does on the seller page."""
        form = {"action": "price", "model_id": str(model["model_id"]), "price": str(price)}
        answer = await self.http.post(f"/seller/items/{item['item_id']}", data=form)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise UnexpectedAnswer(f"the seller page answered {answer.status_code}")


def _body(answer: httpx.Response) -> Any:
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        raise UnexpectedAnswer(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:300]}"
        )
    return answer.json()
