"""What a call has to pass before its content is looked at, in this order: app, clock, signature, token, shop, quota."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from infrastructure.platforms.shopee.signing import same_signature, sign_public, sign_shop
from services.simulators.shopee.config import SimulatorConfig
from services.simulators.shopee.shop import Shop

T = TypeVar("T")

WINDOW: Final = 300
"""Seconds by which a timestamp may differ from the clock."""


class Refused(Exception):
    """The envelope's error. `response` holds row results that come with it; `status` is the HTTP status."""

    def __init__(self, error: str, message: str, *, response: Any = None, status: int = 200) -> None:
        super().__init__(error)
        self.error = error
        self.message = message
        self.response = response
        self.status = status


class Query(Struct, frozen=True):
    """The query string; repeated names keep every value."""

    pairs: list[tuple[str, str]]

    def get(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.pairs if key == name]

    def number(self, name: str, default: int | None = None) -> int:
        text = self.get(name)
        if text.isascii() and text.isdigit():
            return int(text)
        if text or default is None:
            raise Refused("error_param", f"Invalid parameter: {name}.")
        return default


class Gate:
    def __init__(self, config: SimulatorConfig, shop: Shop) -> None:
        self._config = config
        self._shop = shop
        self._recent: deque[float] = deque()
        self._day = ""
        self._spent_today = 0

    def admit(self, path: str, query: Query, *, public: bool) -> None:
        """Raises `Refused`."""
        for name in ("partner_id", "timestamp", "sign"):
            if not query.get(name):
                raise Refused("error_param", f"There is no {name} in query.")
        if query.get("partner_id") != str(self._config.partner_id):
            raise Refused("invalid_partner_id", "Invalid partner_id.")
        timestamp = query.get("timestamp")
        if not timestamp.isascii() or not timestamp.isdigit() or abs(int(timestamp) - self._shop.now()) > WINDOW:
            raise Refused("error_param", "Invalid timestamp.")
        if not same_signature(self._signature(path, query, int(timestamp), public=public), query.get("sign")):
            raise Refused("error_sign", "Wrong sign.")
        if not public:
            self._check_token(query)
        self._count()

    def _signature(self, path: str, query: Query, timestamp: int, *, public: bool) -> str:
        key = self._config.partner_key
        if public:
            return sign_public(partner_id=self._config.partner_id, partner_key=key, path=path, timestamp=timestamp)
        return sign_shop(
            partner_id=self._config.partner_id,
            partner_key=key,
            path=path,
            timestamp=timestamp,
            access_token=query.get("access_token"),
            shop_id=query.number("shop_id"),
        )

    def _check_token(self, query: Query) -> None:
        now = self._shop.now()
        given = query.get("access_token")
        if not any(token.value == given and token.dies_at > now for token in self._shop.state.access_tokens):
            raise Refused("error_auth", "Invalid access_token.")
        if query.number("shop_id") != self._config.shop_id:
            raise Refused("error_param_shop_id_not_found", "The shop_id is not found.")

    def _count(self) -> None:
        now = self._shop.now()
        day = (datetime.fromtimestamp(now, UTC) + timedelta(hours=8)).date().isoformat()
        if day != self._day:
            self._day, self._spent_today = day, 0
        if self._config.daily_quota is not None and self._spent_today >= self._config.daily_quota:
            raise Refused("error_limit", "The daily call quota of this app is used up.")
        if self._config.rate_per_second is not None:
            while self._recent and self._recent[0] <= now - 1.0:
                self._recent.popleft()
            if len(self._recent) >= self._config.rate_per_second:
                raise Refused("error_rate_limit", "Too many requests.", status=self._config.throttle_status)
            self._recent.append(now)
        self._spent_today += 1


def read_body(raw: bytes, shape: type[T]) -> T:
    """Raises `Refused` (error_param) for anything that has not the shape, numbers as text included."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as reason:
        raise Refused("error_param", f"Invalid parameter: {reason}.") from None
