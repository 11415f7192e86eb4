"""Where shops send their notifications. No key is asked for: each is signed by the platform."""

from __future__ import annotations

from typing import Final

from litestar.handlers import HTTPRouteHandler

from domain.values import Platform
from services.api.authorisation import Access
from services.api.bodies import MAX_JSON, read_limited
from services.api.operations import Answer, Call, endpoint
from services.api.problems import Problem
from services.notifications import NotCheckable, NotGenuine, NotReadable, ShopUnknown

SERVED: Final = {Platform.SHOPEE.value: Platform.SHOPEE}


@endpoint(
    "POST",
    "/api/webhooks/{platform:str}",
    scope=Access.OPEN,
    tag="Notifications",
    summary="Take a shop's notification",
    answers={200: None},
    refusals=(
        "platform_unknown",
        "shop_unknown",
        "notification_not_genuine",
        "notification_unreadable",
        "secrets_unreadable",
        "body_too_large",
    ),
    path_examples={"platform": "shopee"},
)
async def receive(call: Call) -> Answer:
    """Kept and answered at once; what it points at is looked up afterwards. The same one twice has no second effect."""
    platform = SERVED.get(call.path("platform"))
    notifications = call.app.notifications
    if platform is None or notifications is None:
        raise Problem(
            "platform_unknown", f"{call.path('platform')} sends no notifications here", platforms=sorted(SERVED)
        )
    request = call.request
    body = await read_limited(request.receive, MAX_JSON, request.headers.get("content-length"))
    try:
        await notifications.accept(platform, body, request.headers.get("authorization", ""))
    except ShopUnknown as error:
        raise Problem("shop_unknown", str(error)) from error
    except NotCheckable as error:
        raise Problem("secrets_unreadable", str(error)) from error
    except NotGenuine as error:
        raise Problem("notification_not_genuine", str(error)) from error
    except NotReadable as error:
        raise Problem("notification_unreadable", str(error)) from error
    return Answer(None)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (receive,)
