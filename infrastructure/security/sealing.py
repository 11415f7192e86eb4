"""Secrets at rest: AES-256-GCM with a fresh 12-byte nonce each, bound to where they belong (R197)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import SyncStoreError

NONCE_BYTES: Final = 12


class CannotUnseal(SyncStoreError):
    """The key is not there, or the bytes were changed or moved from another record."""


class Sealer:
    """Seals with the first key, opens with the one whose id stands in the sealed bytes."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise CannotUnseal("there is no encryption key: set SYNCSTORE_ENCRYPTION_KEYS")
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(keys))

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        """`bound_to` names the record; the same must be given to open it."""
        nonce = os.urandom(NONCE_BYTES)
        name = self._current.encode()
        sealed = self._keys[self._current].encrypt(nonce, plain, bound_to.encode())
        return bytes([len(name)]) + name + nonce + sealed

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        """Raises CannotUnseal."""
        start = 1 + sealed[0]
        name = sealed[1:start].decode()
        key = self._keys.get(name)
        if key is None:
            raise CannotUnseal(f"encryption key {name!r} is not among SYNCSTORE_ENCRYPTION_KEYS")
        nonce, body = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return key.decrypt(nonce, body, bound_to.encode())
        except InvalidTag as error:
            raise CannotUnseal(f"the secret of {bound_to} was changed or belongs to another record") from error
