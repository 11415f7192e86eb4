"""API keys: what is kept of them, who sees them, and how soon a revoked one stops working."""

from __future__ import annotations

import asyncio

import pytest

from infrastructure.postgres.pool import Pool
from infrastructure.security.api_keys import ApiKeys, KeyRing, Principal, Scope, StoredKey, digest, new_key, written

KEY_ID, SECRET = new_key()


class Source:
    """Keys in memory, counting how often they are looked up."""

    def __init__(self) -> None:
        principal = Principal(key_id=KEY_ID, org_id="toko", name="t", scopes=frozenset({Scope.PRODUCTS_READ}))
        self.keys = {KEY_ID: StoredKey(principal=principal, hash=digest(SECRET))}
        self.looked_up = 0
        self.used = 0

    async def find(self, key_id: str) -> StoredKey | None:
        self.looked_up += 1
        await asyncio.sleep(0)
        return self.keys.get(key_id)

    async def mark_used(self, key_id: str) -> None:
        self.used += 1


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_is_looked_up_once_while_it_is_remembered() -> None:
    source, time = Source(), Time()
    ring = KeyRing(source, seconds=5, monotonic=time)
    found = await asyncio.gather(*(ring.recognise(written(KEY_ID, SECRET)) for _ in range(20)))
    assert {principal.org_id for principal in found if principal} == {"toko"}
    assert source.looked_up == 1


async def test_a_revoked_key_stops_working_when_its_seconds_have_passed() -> None:
    source, time = Source(), Time()
    ring = KeyRing(source, seconds=5, monotonic=time)
    assert await ring.recognise(written(KEY_ID, SECRET)) is not None
    source.keys.clear()
    time.now += 4.9
    assert await ring.recognise(written(KEY_ID, SECRET)) is not None
    time.now += 0.2
    assert await ring.recognise(written(KEY_ID, SECRET)) is None


async def test_a_wrong_secret_is_refused_and_marks_nothing_used() -> None:
    source = Source()
    ring = KeyRing(source, monotonic=Time())
    assert await ring.recognise(written(KEY_ID, new_key()[1])) is None
    assert source.used == 0
    assert await ring.recognise(written(KEY_ID, SECRET)) is not None


async def test_guessed_ids_are_asked_for_once_and_do_not_drive_out_keys_in_use() -> None:
    source = Source()
    ring = KeyRing(source, capacity=10, monotonic=Time())
    await ring.recognise(written(KEY_ID, SECRET))
    guess = written(*new_key())
    for _ in range(3):
        assert await ring.recognise(guess) is None
    assert source.looked_up == 2
    for _ in range(50):
        await ring.recognise(written(*new_key()))
    looked_up = source.looked_up
    await ring.recognise(written(KEY_ID, SECRET))
    assert source.looked_up == looked_up


@pytest.mark.parametrize("presented", ["", "sk_", "sk_abc_def", written(KEY_ID, SECRET) + "x", "SK_" + KEY_ID])
async def test_what_is_not_written_like_a_key_is_not_looked_up(presented: str) -> None:
    source = Source()
    assert await KeyRing(source, monotonic=Time()).recognise(presented) is None
    assert source.looked_up == 0


async def test_a_key_is_kept_as_a_digest_and_seen_by_its_organisation_alone(app_pool: Pool) -> None:
    keys = ApiKeys(app_pool)
    key = await keys.issue("toko", "kasir", [Scope.PRODUCTS_READ, Scope.SYNC_READ])
    _, key_id, secret = key.split("_", 2)
    (summary,) = await keys.summaries("toko")
    assert (summary.id, summary.name, summary.scopes) == (key_id, "kasir", ("products:read", "sync:read"))
    assert await keys.summaries("another") == []
    assert not await keys.revoke("another", key_id)
    stored = await keys.find(key_id)
    assert stored is not None
    assert stored.hash == digest(secret)
    assert secret.encode() not in stored.hash


async def test_a_revoked_key_is_found_no_more(app_pool: Pool) -> None:
    keys = ApiKeys(app_pool)
    key = await keys.issue("toko", "kasir", [Scope.ADMIN])
    key_id = key.split("_")[1]
    assert await KeyRing(keys).recognise(key) is not None
    assert (await keys.summaries("toko"))[0].last_used_at is not None
    assert await keys.revoke("toko", key_id)
    assert not await keys.revoke("toko", key_id)
    assert await KeyRing(keys).recognise(key) is None
