"""Signs and sends Shopee calls over HTTP, and keeps them within the pace and behind a living token."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

import httpx
import msgspec
import structlog
from msgspec import Struct

from domain.policies.retry import ErrorClass
from infrastructure.platforms.connector import PlatformCallFailed, PlatformError
from infrastructure.platforms.pace import Pace
from infrastructure.platforms.shopee import requests
from infrastructure.platforms.shopee.envelope import Answer, parse, read_answer
from infrastructure.platforms.shopee.requests import Call
from infrastructure.platforms.shopee.signing import sign_public, sign_shop
from infrastructure.platforms.tokens import Tokens, TokenSource, expiry

TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class _WithoutQuery(logging.Filter):
    """Keeps credentials out of httpx's own log, which prints URLs; Shopee's carry the access token."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                part.copy_with(query=None) if isinstance(part, httpx.URL) else part for part in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_WithoutQuery())


class ShopeeAccount(Struct, frozen=True, kw_only=True):
    """The app and the shop. `host` is like https://partner.shopeemobile.com, without a path."""

    host: str
    partner_id: int
    partner_key: str
    shop_id: int

    def __repr__(self) -> str:
        return f"ShopeeAccount(host={self.host!r}, partner_id={self.partner_id}, shop_id={self.shop_id})"


class _TokenAnswer(Struct, frozen=True):
    access_token: str
    refresh_token: str
    expire_in: int


class ShopeeTransport:
    """Does not own `http`. Redirects are not followed: they would carry the signature elsewhere."""

    def __init__(self, account: ShopeeAccount, http: httpx.AsyncClient, now: Callable[[], datetime]) -> None:
        self._account = account
        self._http = http
        self._now = now

    async def send(self, call: Call, tokens: Tokens | None = None) -> Answer:
        """One try. Raises `PlatformCallFailed` (NETWORK) when no answer came; a refusal is in the answer."""
        query = httpx.QueryParams((*self._credential(call, tokens), *call.query))
        files = [("image", (f"{n}.jpg", content, "image/jpeg")) for n, content in enumerate(call.images)]
        try:
            response = await self._http.request(
                call.method,
                f"{self._account.host}{call.path}",
                params=query,
                content=None if call.body is None else _ENCODER.encode(call.body),
                headers=None if call.body is None else {"Content-Type": "application/json"},
                files=files or None,
                timeout=TIMEOUT,
                follow_redirects=False,
            )
        except (httpx.TransportError, httpx.DecodingError) as reason:
            name = type(reason).__name__
            code = "timeout" if isinstance(reason, httpx.TimeoutException) else "no_answer"
            error = PlatformError(
                error_class=ErrorClass.NETWORK, code=code, message=f"{call.path}: {name}", hint="unreachable"
            )
            raise PlatformCallFailed(error) from reason
        return read_answer(response.status_code, response.headers, response.content, self._now())

    async def spend_code(self, code: str) -> Tokens:
        """The first pair, for the code that the seller's authorisation has brought."""
        account = self._account
        return await self._tokens(
            requests.exchange_code(partner_id=account.partner_id, shop_id=account.shop_id, code=code)
        )

    async def spend_refresh_token(self, token: str) -> Tokens:
        account = self._account
        return await self._tokens(
            requests.refresh_token(partner_id=account.partner_id, shop_id=account.shop_id, token=token)
        )

    async def _tokens(self, call: Call) -> Tokens:
        answer = await self.send(call)
        if answer.error is not None:
            raise PlatformCallFailed(answer.error)
        pair = parse(answer.body, _TokenAnswer)
        return Tokens(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_at=expiry(pair.expire_in, self._now()),
        )

    def _credential(self, call: Call, tokens: Tokens | None) -> list[tuple[str, str]]:
        account = self._account
        timestamp = int(self._now().timestamp())
        query = [("partner_id", str(account.partner_id)), ("timestamp", str(timestamp))]
        if tokens is None:
            sign = sign_public(
                partner_id=account.partner_id, partner_key=account.partner_key, path=call.path, timestamp=timestamp
            )
            return [*query, ("sign", sign)]
        sign = sign_shop(
            partner_id=account.partner_id,
            partner_key=account.partner_key,
            path=call.path,
            timestamp=timestamp,
            access_token=tokens.access_token,
            shop_id=account.shop_id,
        )
        shop = [("access_token", tokens.access_token), ("shop_id", str(account.shop_id)), ("sign", sign)]
        return [*query, *shop]


class ShopeeSession:
    """Calls of one shop: paced, and repeated once with a fresh token when the old one has died."""

    def __init__(self, transport: ShopeeTransport, tokens: TokenSource, pace: Pace) -> None:
        self._transport = transport
        self._tokens = tokens
        self._pace = pace

    async def ask(self, call: Call) -> Answer:
        """An answer without an error. Raises `PlatformCallFailed`."""
        answer = await self.try_(call)
        if answer.error is not None:
            raise PlatformCallFailed(answer.error)
        return answer

    async def try_(self, call: Call) -> Answer:
        """An answer, refusals included: they may come with row results. Raises only when no answer came."""
        if call.public:
            return await self._paced(call, None)
        tokens = await self._tokens.current()
        answer = await self._paced(call, tokens)
        if answer.error is None or answer.error.error_class is not ErrorClass.AUTH_EXPIRED:
            return answer
        log.info("shopee_token_expired", path=call.path, request_id=answer.request_id)
        return await self._paced(call, await self._tokens.refresh(tokens))

    async def _paced(self, call: Call, tokens: Tokens | None) -> Answer:
        await self._pace.acquire()
        answer = await self._transport.send(call, tokens)
        if answer.error is None:
            self._pace.succeeded()
        elif answer.error.error_class is ErrorClass.RATE:
            self._pace.complained(answer.error.retry_after)
            log.warning("shopee_throttled", path=call.path, code=answer.error.code, rate=round(self._pace.rate, 2))
        return answer
