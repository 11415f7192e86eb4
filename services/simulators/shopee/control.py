"""The switches and views for tests and demonstrations, under /_simulator."""

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import to_builtins

from services.simulators.shopee.access import issue
from services.simulators.shopee.faults import Faults
from services.simulators.shopee.seed import seed
from services.simulators.shopee.simulator import Simulator


def handlers(simulator: Simulator) -> list[HTTPRouteHandler]:
    shop = simulator.shop

    @get("/_simulator/images/{image_id:str}")
    async def image(image_id: FromPath[str]) -> Response[bytes]:
        content = shop.state.images.get(image_id)
        if content is None:
            raise NotFoundException("there is no such image")
        return Response(content, media_type="image/png" if content.startswith(b"\x89PNG") else "image/jpeg")

    @get("/_simulator/state", sync_to_thread=False)
    def state() -> dict[str, Any]:
        """Everything but credentials, with counts of calls and errors."""
        return {
            "items": to_builtins(list(shop.listed()), str_keys=True),
            "orders": to_builtins(list(shop.state.orders.values())),
            "calls": dict(shop.calls),
            "errors": dict(shop.errors),
            "lost_pushes": len(shop.state.lost),
            "delivered_pushes": simulator.pushes.delivered,
            "waiting_pushes": simulator.pushes.waiting,
            "push_health": to_builtins(simulator.pushes.health()),
            "holiday": shop.state.holiday,
        }

    @post("/_simulator/seed", status_code=200, sync_to_thread=False)
    def add_goods(n: FromQuery[int] = 10) -> dict[str, Any]:
        return {"item_ids": [item.item_id for item in seed(shop, min(n, 10_000))]}

    @post("/_simulator/faults", status_code=200)
    async def set_faults(data: JSONBody[Faults]) -> Faults:
        """Replaces all switches; an empty object ends them."""
        simulator.api.faults = data
        return data

    @post("/_simulator/authorise", status_code=200, sync_to_thread=False)
    def authorise() -> dict[str, Any]:
        """A fresh pair of tokens, as if the seller had authorised the app again."""
        return issue(shop, simulator.config)

    return [image, state, add_goods, set_faults, authorise]
