from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.security.sealing import CannotUnseal, Sealer

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.binary(max_size=500))
def test_what_is_sealed_can_be_opened_where_it_belongs(plain: bytes) -> None:
    sealer = Sealer({"k1": OLD})
    sealed = sealer.seal(plain, bound_to="org/shop/tokens")
    assert sealer.open(sealed, bound_to="org/shop/tokens") == plain
    assert len(plain) < 16 or plain not in sealed


def test_a_secret_moved_to_another_record_does_not_open() -> None:
    sealer = Sealer({"k1": OLD})
    sealed = sealer.seal(b"token", bound_to="org-a/shop")
    with pytest.raises(CannotUnseal, match="belongs to another record"):
        sealer.open(sealed, bound_to="org-b/shop")


def test_after_rotation_old_secrets_open_and_new_ones_use_the_new_key() -> None:
    sealed = Sealer({"old": OLD}).seal(b"token", bound_to="x")
    rotated = Sealer({"new": NEW, "old": OLD})
    assert rotated.open(sealed, bound_to="x") == b"token"
    with pytest.raises(CannotUnseal, match="'new' is not among"):
        Sealer({"old": OLD}).open(rotated.seal(b"token", bound_to="x"), bound_to="x")


def test_two_seals_of_one_secret_differ() -> None:
    sealer = Sealer({"k1": OLD})
    assert sealer.seal(b"token", bound_to="x") != sealer.seal(b"token", bound_to="x")


def test_without_a_key_nothing_is_sealed() -> None:
    with pytest.raises(CannotUnseal, match="SYNCSTORE_ENCRYPTION_KEYS"):
        Sealer({})
