"""Shopee's push messages: verify the raw bytes first, then read them as hints.

None of them is trusted as the new state; price pushes come for our own writes too, and nothing promises order.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog
from msgspec import Raw, Struct

from infrastructure.platforms.hints import HintKind, ListingHint, LostPush, PushMessage
from infrastructure.platforms.shopee.mapping import moment
from infrastructure.platforms.shopee.signing import push_is_genuine

_log: Final = structlog.get_logger(__name__)

_KINDS: Final = {
    1: HintKind.AUTHORISATION,
    2: HintKind.AUTHORISATION,
    3: HintKind.ORDER,
    6: HintKind.STATUS,
    7: HintKind.PROMOTION,
    8: HintKind.STOCK,
    9: HintKind.PROMOTION,
    12: HintKind.AUTHORISATION,
    16: HintKind.STATUS,
    22: HintKind.PRICE,
    27: HintKind.STATUS,
}

_LATEST_SECOND: Final = 253_402_300_799  # the last second of the year 9999


class PushRefused(Exception):
    """The message is not Shopee's, or not one of its messages. `genuine` tells which: False is a wrong signature."""

    def __init__(self, reason: str, *, genuine: bool) -> None:
        super().__init__(reason)
        self.genuine = genuine


class PushEnvelope(Struct, frozen=True):
    code: int
    shop_id: int | None = None
    timestamp: int | None = None
    data: Any = None
    msg_id: str | int | None = None


def receive(*, keys: Sequence[str], callback_url: str, raw_body: bytes, signature: str) -> PushMessage:
    """Verify and understand a message. `callback_url` is the URL as registered at Shopee, character for character.

    Raises `PushRefused`.
    """
    if not push_is_genuine(keys=keys, callback_url=callback_url, raw_body=raw_body, signature=signature):
        raise PushRefused("the signature does not fit the body and the registered URL", genuine=False)
    return understand(raw_body)


def understand(raw_body: bytes) -> PushMessage:
    """Read a message that is known to be Shopee's. Raises `PushRefused`."""
    try:
        envelope = msgspec.json.decode(raw_body, type=PushEnvelope, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as reason:
        raise PushRefused(f"not a push message: {reason}", genuine=True) from reason
    return message(envelope)


def lost(messages: Sequence[Raw]) -> tuple[LostPush, ...]:
    """Of what did not reach us, that which is a message at all: what is not must not hold up the others for ever."""
    found: list[LostPush] = []
    for body in map(bytes, messages):
        try:
            understood = understand(body)
        except PushRefused as refused:
            _log.warning("lost_push_not_understood", platform="shopee", reason=str(refused))
        else:
            found.append(LostPush(key=understood.key, shop_id=understood.shop_id, body=body))
    return tuple(found)


def message(envelope: PushEnvelope) -> PushMessage:
    """A parsed envelope, such as those among the lost messages, where `data` may be JSON within text."""
    if isinstance(envelope.data, str):
        with contextlib.suppress(msgspec.DecodeError):
            envelope = msgspec.structs.replace(envelope, data=msgspec.json.decode(envelope.data))
    stamp = envelope.timestamp
    return PushMessage(
        key=deduplication_key(envelope),
        code=str(envelope.code),
        shop_id=None if envelope.shop_id is None else str(envelope.shop_id),
        sent_at=moment(stamp) if stamp is not None and 0 <= stamp <= _LATEST_SECOND else None,
        hints=_hints(envelope),
    )


def deduplication_key(envelope: PushEnvelope) -> str:
    """`msg_id` where Shopee gives one; otherwise a digest of the code, the shop and the content.

    All of the content, not only the object's id and `update_time`: two edits within one second are two messages.
    Content without an `update_time` is told apart by the sending time as well: a hint too many is harmless, one lost
    is not.
    """
    if envelope.msg_id not in (None, ""):
        return f"msg-{envelope.msg_id}"
    timed = isinstance(envelope.data, dict) and "update_time" in envelope.data
    identity = [envelope.code, envelope.shop_id, envelope.data, None if timed else envelope.timestamp]
    return hashlib.sha256(msgspec.json.encode(identity, order="sorted")).hexdigest()


def _hints(envelope: PushEnvelope) -> tuple[ListingHint, ...]:
    kind = _KINDS.get(envelope.code, HintKind.OTHER)
    data = envelope.data if isinstance(envelope.data, dict) else {}
    item_id = _identifier(data.get("item_id"))
    if item_id is not None:
        model_id = _identifier(data.get("model_id", data.get("variation_id")))
        return (ListingHint(item_id, model_id, kind),)
    rows = data.get("items")
    if isinstance(rows, list):
        hints = (
            ListingHint(_identifier(row.get("item_id")), _identifier(row.get("model_id")), kind)
            for row in rows
            if isinstance(row, dict)
        )
        found = tuple(hint for hint in hints if hint.external_id is not None)
        if found:
            return found
    return (ListingHint(None, None, kind),)


def _identifier(value: Any) -> str | None:
    """Ids arrive as numbers or text; 0 and "" mean none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return None if text in ("", "0") else text
