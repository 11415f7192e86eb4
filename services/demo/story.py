"""The story: import, publish, read models, push, price edits, an edit at the shop, a conflict, a rebuild."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

from domain.errors import SyncStoreError
from services.demo.checks import Checks, spread
from services.demo.clients import Api, ShopSimulator

CONNECTION: Final = "SHP-ID-01"
BATIK: Final = "BTK-PRG"
FACTOR: Final = Decimal("1.15")
EDITED: Final = 25
"""Products whose price is changed over HTTP."""
EDIT_PAUSE: Final = 0.1
"""Seconds between two of them: how long one takes to the shop is asked here, not how many fit into a moment."""

Say = Callable[[str], None]


class TookTooLong(SyncStoreError):
    """Something that the demonstration waits for has not come about."""


def shop_price(base: int) -> int:
    """Shopee's rule: base x 1.15, half up."""
    return int((base * FACTOR).quantize(Decimal(1), ROUND_HALF_UP))


@dataclass(slots=True)
class Story:
    api: Api
    shop: ShopSimulator
    catalogue: Path
    say: Say
    checks: Checks = field(default_factory=Checks)

    def rows(self) -> list[dict[str, str]]:
        with self.catalogue.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    async def views(self) -> None:
        """Everything imported is in Kafka and in the read models."""
        products = {row["product_sku"] or row["sku"] for row in self.rows()}
        started = time.monotonic()
        found: list[Any] = []

        async def complete() -> bool:
            found[:] = [product async for product in self.api.pages("/api/v2/products", limit=200)]
            return len(found) >= len(products)

        await _until(complete, 60, "the catalogue view to hold every product")
        self.checks.equal("products in the catalogue view", len(found), len(products))
        self.say(f"read models   {len(found)} products, {time.monotonic() - started:.1f} s after the import")
        slip = await self.api.get("/api/v2/products", q="kemja batik", limit=5)
        names = [item["name"] for item in slip["items"]]
        self.checks.true("a slip of the finger finds its product", any("Batik" in name for name in names), str(names))
        self.say(f"search        'kemja batik' finds {names[0] if names else 'nothing'}")

    async def listed(self) -> None:
        """Every active product is at the shop, with the price and stock that it should have."""
        rows = [row for row in self.rows() if row["status"] == "active"]
        products = {row["product_sku"] or row["sku"] for row in rows}
        started = time.monotonic()

        async def synced() -> bool:
            linked, waiting = await self._at_shop()
            self.say(f"\rpush          {linked} of {len(products)} listings at the shop, {waiting} wait for their turn")
            return linked >= len(products) and waiting == 0

        await _until(synced, 240, "every listing to be at the shop", every=1.0)
        seconds = time.monotonic() - started
        self.say(
            f"push          {len(products)} listings in {seconds:.1f} s ({len(products) / max(seconds, 0.1):.0f}/s)"
        )
        items = await self.shop.items()
        shown = {model["sku"] or item["sku"]: model for item in items.values() for model in item["models"]}
        wrong_prices = [
            row["sku"] for row in rows if shown.get(row["sku"], {}).get("price") != shop_price(int(row["base_price"]))
        ]
        wrong_stock = [row["sku"] for row in rows if shown.get(row["sku"], {}).get("stock") != int(row["stock"])]
        self.checks.equal("items at the shop", len(items), len(products))
        self.checks.equal("variants with a wrong price at the shop", wrong_prices[:5], [])
        self.checks.equal("variants with a wrong stock at the shop", wrong_stock[:5], [])
        self.say(
            f"shop          {len(items)} items, {len(shown)} variants; every price is base x 1.15, every stock right"
        )

    async def price_edits(self) -> None:
        """Prices are changed over HTTP; each is at the shop soon after."""
        skus = [BATIK, *sorted(sku for sku in await self.shop.items() if sku != BATIK)[: EDITED - 1]]
        bases = {row["product_sku"] or row["sku"]: int(row["base_price"]) for row in self.rows()}
        wanted: dict[str, int] = {}
        commands: list[float] = []
        edited: dict[str, str] = {}
        for sku in skus:
            product_id = await self.api.product_id(sku)
            wanted[sku] = 199_000 if sku == BATIK else bases[sku] + 1_000
            begun = time.perf_counter()
            await self.api.command("PATCH", f"/api/v2/products/{product_id}", {"base_price": wanted[sku]})
            commands.append((time.perf_counter() - begun) * 1000)
            edited[sku] = product_id
            await asyncio.sleep(EDIT_PAUSE)

        async def at_shop() -> bool:
            items = await self.shop.items()
            return all(model["price"] == shop_price(wanted[sku]) for sku in skus for model in items[sku]["models"])

        await _until(at_shop, 30, "the edited prices to be at the shop")
        batik = (await self.shop.items())[BATIK]
        self.checks.equal(
            "BTK-PRG at 199,000 shows on all its variants", {model["price"] for model in batik["models"]}, {228_850}
        )
        latencies = [await self._latency(product_id) for product_id in edited.values()]
        self.say(f"edit          {len(skus)} prices over HTTP, one after the other, {spread(commands)} each")
        self.say(f"edit to shop  {spread(latencies)}, from the edit to the shop's acknowledgement")
        self.checks.true("an edit reaches the shop", max(latencies) < 30_000, spread(latencies))

    async def edit_at_shop(self) -> None:
        """Somebody changes a price on the seller page while ours stands still: ours is put back."""
        items = await self.shop.items()
        sku = next(sku for sku in sorted(items, reverse=True) if sku != BATIK)
        item = items[sku]
        model = item["models"][0]
        ours = model["price"]
        product_id = await self.api.product_id(sku)
        begun = time.monotonic()
        await self.shop.edit_price(item, model, ours + 700)

        async def put_back() -> bool:
            drifts = await self._events(product_id, "listing.drift-found")
            price = (await self.shop.items())[sku]["models"][0]["price"]
            return bool(drifts) and price == ours

        await _until(put_back, 60, "the shop's edit to be noticed and ours put back")
        drift = (await self._events(product_id, "listing.drift-found"))[0]["data"]
        self.checks.equal(
            "the shop's edit is told with both values", (drift["ours"], drift["theirs"]), (ours, ours + 700)
        )
        self.say(
            f"shop edit     {sku}: somebody set {ours + 700:,} at the shop; noticed, and {ours:,} put back "
            f"{time.monotonic() - begun:.1f} s later"
        )

    async def conflict(self) -> None:
        """Both move before either knows of the other: a conflict, decided by the policy "price: master wins"."""
        product_id = await self.api.product_id(BATIK)
        await self.api.command("POST", "/api/v2/sync/pause", {"product_id": product_id, "reason": "demonstration"})
        await self.api.command("PATCH", f"/api/v2/products/{product_id}", {"base_price": 195_000})
        await _until(
            lambda: self._desires(product_id, shop_price(195_000)), 15, "the new price to be what the listing wants"
        )
        item = (await self.shop.items())[BATIK]
        await self.shop.edit_price(item, item["models"][0], 210_000)
        found: list[Any] = []

        async def detected() -> bool:
            page = await self.api.get("/api/v2/sync/conflicts", status="any", product_id=product_id)
            found[:] = [one for one in page["items"] if one["theirs"] == 210_000]
            return bool(found)

        await _until(detected, 60, "the conflict to be found")
        await self.api.command("POST", "/api/v2/sync/resume", {"product_id": product_id, "reason": "demonstration"})
        one = found[0]
        self.checks.equal("conflict: ours and theirs", (one["ours"], one["theirs"]), (224_250, 210_000))

        async def settled() -> bool:
            prices = {model["price"] for model in (await self.shop.items())[BATIK]["models"]}
            return prices == {224_250}

        await _until(settled, 30, "the conflict's outcome to be at the shop")
        self.checks.equal("exactly one conflict", len(found), 1)
        self.say(
            f"conflict      {BATIK}: ours {one['ours']:,} (by {one['ours_by']}), theirs {one['theirs']:,} "
            f"(by {one['theirs_by']}); {one['strategy']}: {one['reason']}"
        )
        self.say("              resolved by policy, 224,250 is at the shop on every variant")

    async def echoes(self) -> None:
        """Our own pushes come back as notifications; none of them was taken for somebody's change."""
        state = await self.shop.state()
        product_id = await self.api.product_id(BATIK)
        observed = await self._events(product_id, "listing.shadow-observed")
        self.checks.equal("changes at the shop seen on BTK-PRG", len(observed), 1)
        self.say(f"echoes        {state['delivered_pushes']} notifications delivered; only the hand-made edits counted")

    async def _at_shop(self) -> tuple[int, int]:
        """Listings that are items at the shop, and listings that wait for a push."""
        status = await self.api.get("/api/v2/sync/status")
        shops = [one for one in status["connections"] if one["connection_id"] == CONNECTION]
        return (shops[0]["linked"] if shops else 0), status["waiting"]

    async def _events(self, product_id: str, kind: str) -> list[Any]:
        page = await self.api.get(f"/api/v2/products/{product_id}/history", type=kind, limit=50)
        items: list[Any] = page["items"]
        return items

    async def _latency(self, product_id: str) -> float:
        """Milliseconds from the edit to the shop's acknowledgement, as the listing has recorded it."""
        found: list[Any] = []

        async def confirmed() -> bool:
            found[:] = await self._events(product_id, "listing.push-confirmed")
            return bool(found)

        await _until(confirmed, 10, "the confirmation to be in the history")
        return float(found[0]["data"]["latency_ms"])

    async def _desires(self, product_id: str, price: int) -> bool:
        page = await self.api.get("/api/v2/listings", product_id=product_id)
        for one in page["items"]:
            listing = await self.api.get(f"/api/v2/listings/{one['id']}")
            prices = [shown["desired"] for name, shown in listing["fields"].items() if name.startswith("price:")]
            return bool(prices) and set(prices) == {price}
        return False


async def _until(holds: Callable[[], Awaitable[bool]], seconds: float, what: str, *, every: float = 0.1) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await holds():  # noqa: ASYNC110  # other processes cannot set an event here
                await asyncio.sleep(every)
    except TimeoutError as error:
        raise TookTooLong(f"waited {seconds:.0f} s for {what}") from error
