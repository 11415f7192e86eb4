"""The API's calls for tokens, images and lost pushes; all are signed in the public form."""

from __future__ import annotations

import secrets
from typing import Any, Final

from msgspec import Struct

from services.simulators.shopee.calls import Context
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.gate import Refused, read_body
from services.simulators.shopee.shop import Shop, Token

OVERLAP: Final = 300
"""Seconds for which an access token goes on working after it was refreshed."""

KEPT: Final = 3 * 86_400
"""Seconds for which lost messages are kept."""

_MAX_IMAGE: Final = 10 * 1024 * 1024


class CodeBody(Struct):
    code: str
    partner_id: int
    shop_id: int


class RefreshBody(Struct):
    refresh_token: str
    partner_id: int
    shop_id: int


class ConfirmBody(Struct):
    last_message_id: int


def get_token(context: Context) -> dict[str, Any]:
    body = read_body(context.body, CodeBody)
    _check_shop(context, body.partner_id, body.shop_id)
    state = context.shop.state
    if state.code_spent or not secrets.compare_digest(body.code.encode(), context.config.first_code.encode()):
        raise Refused("invalid_code", "Invalid code.")
    state.code_spent = True
    pair = issue(context.shop, context.config)
    return {**pair, "shop_id_list": [context.config.shop_id], "merchant_id_list": []}


def refresh(context: Context) -> dict[str, Any]:
    """Spends the refresh token. The access token it replaces works for another five minutes."""
    body = read_body(context.body, RefreshBody)
    _check_shop(context, body.partner_id, body.shop_id)
    known = context.shop.state.refresh_token
    if known is None or not secrets.compare_digest(known.value.encode(), body.refresh_token.encode()):
        raise Refused("error_auth", "Invalid refresh_token.")
    if known.dies_at <= context.shop.now():
        raise Refused("error_shop_refresh_token", "The refresh_token has expired.")
    return {**issue(context.shop, context.config), "partner_id": body.partner_id, "shop_id": body.shop_id}


def issue(shop: Shop, config: SimulatorConfig) -> dict[str, Any]:
    """A new pair."""
    now = shop.now()
    still = [token for token in shop.state.access_tokens if token.dies_at > now]
    for token in still:
        token.dies_at = min(token.dies_at, now + OVERLAP)
    access = Token(value=secrets.token_hex(16), dies_at=now + config.access_token_life)
    shop.state.access_tokens = [*still, access]
    shop.state.refresh_token = Token(value=secrets.token_hex(16), dies_at=now + config.refresh_token_life)
    shop.revision += 1
    return {
        "access_token": access.value,
        "refresh_token": shop.state.refresh_token.value,
        "expire_in": config.access_token_life,
    }


def upload_image(context: Context) -> dict[str, Any]:
    if not 1 <= len(context.files) <= 9:
        raise Refused("error_param", "Between 1 and 9 images are allowed.")
    rows = [_store(context, number, content) for number, content in enumerate(context.files)]
    stored = next((row["image_info"] for row in rows if not row["error"]), None)
    if stored is None:
        raise Refused("error_param", "No image could be stored.", response={"image_info_list": rows})
    return {"image_info": stored, "image_info_list": rows}


def get_lost_push_message(context: Context) -> dict[str, Any]:
    """The oldest 100 of the last three days."""
    shop = context.shop
    alive = [message for message in shop.state.lost if message.lost_at > shop.now() - KEPT]
    page = alive[:100]
    return {
        "push_message_list": [message.body for message in page],
        "has_next_page": len(alive) > len(page),
        "last_message_id": page[-1].message_id if page else None,
    }


def confirm_lost_push_message(context: Context) -> None:
    last = read_body(context.body, ConfirmBody).last_message_id
    shop = context.shop
    shop.state.lost = [message for message in shop.state.lost if message.message_id > last]
    shop.revision += 1


def _check_shop(context: Context, partner_id: int, shop_id: int) -> None:
    if partner_id != context.config.partner_id:
        raise Refused("invalid_partner_id", "Invalid partner_id.")
    if shop_id != context.config.shop_id:
        raise Refused("invalid_shop_id", "Invalid shop_id.")


def _store(context: Context, number: int, content: bytes) -> dict[str, Any]:
    if len(content) > _MAX_IMAGE:
        return {"id": number, "error": "error_image_too_large", "message": "An image is limited to 10 MB."}
    if not content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
        return {"id": number, "error": "error_image_format", "message": "Only JPG and PNG images are taken."}
    image_id = f"sg-{secrets.token_hex(8)}"
    context.shop.state.images[image_id] = content
    context.shop.revision += 1
    url = f"{context.image_host}/_simulator/images/{image_id}"
    info = {"image_id": image_id, "image_url_list": [{"image_url_region": "ID", "image_url": url}]}
    return {"id": number, "error": "", "message": "", "image_info": info}
