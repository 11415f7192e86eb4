"""Shopee's signatures: HMAC-SHA256 over a plain concatenation, lowercase hex, the key taken as UTF-8 text.

Requests sign identity, path, time and credential, never the body. Push messages sign the callback URL as it was
registered and the raw body; re-serialising the body breaks the signature.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def sign_public(*, partner_id: int, partner_key: str, path: str, timestamp: int) -> str:
    """For authorisation, token, push and media calls. `path` starts with /api/v2/ and has no query."""
    return _digest(partner_key, f"{partner_id}{path}{timestamp}".encode())


def sign_shop(*, partner_id: int, partner_key: str, path: str, timestamp: int, access_token: str, shop_id: int) -> str:
    return _digest(partner_key, f"{partner_id}{path}{timestamp}{access_token}{shop_id}".encode())


def sign_push(*, key: str, callback_url: str, raw_body: bytes) -> str:
    return _digest(key, callback_url.encode() + b"|" + raw_body)


def push_is_genuine(*, keys: Sequence[str], callback_url: str, raw_body: bytes, signature: str) -> bool:
    """Whether one of the keys made the signature: the partner key, and the separate push key some consoles show.

    Takes the same time whichever key fits, and for any text as signature.
    """
    given = signature.encode("utf-8", "surrogatepass")
    matches = [
        hmac.compare_digest(sign_push(key=key, callback_url=callback_url, raw_body=raw_body).encode(), given)
        for key in keys
        if key
    ]
    return any(matches)


def same_signature(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def _digest(key: str, base: bytes) -> str:
    return hmac.new(key.encode(), base, hashlib.sha256).hexdigest()
