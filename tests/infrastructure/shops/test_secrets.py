from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from domain.values import Platform
from infrastructure.platforms.tokens import RotatingTokens, Tokens
from infrastructure.postgres.pool import Pool
from infrastructure.security.sealing import Sealer
from infrastructure.shops.secrets import NoSecrets, SecretsStore, ShopSecrets
from infrastructure.shops.vault import DatabaseVault

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECRETS = ShopSecrets(
    platform=Platform.SHOPEE,
    host="http://127.0.0.1:1",
    app_id="7",
    app_key="app-key",
    shop_id="9",
    access_token="access-0",
    refresh_token="refresh-0",
    access_expires_at=NOON.timestamp(),
)


@pytest.fixture
def store(worker_pool: Pool) -> SecretsStore:
    return SecretsStore(worker_pool, Sealer({"k": bytes(32)}))


async def test_secrets_come_back_and_are_sealed_in_the_table(store: SecretsStore, worker_pool: Pool) -> None:
    await store.write("toko", "SHP", SECRETS)
    assert await store.read("toko", "SHP") == (SECRETS, 1)
    async with worker_pool.connection() as connection:
        cursor = await connection.execute("select sealed from shop_secrets")
        row = await cursor.fetchone()
    assert row is not None
    assert b"access-0" not in bytes(row[0])
    assert "access-0" not in repr(SECRETS)


async def test_a_connection_without_secrets_says_so(store: SecretsStore) -> None:
    with pytest.raises(NoSecrets, match="connect the shop again"):
        await store.read("toko", "SHP")


async def test_the_later_of_two_replacements_of_one_revision_is_refused(store: SecretsStore) -> None:
    await store.write("toko", "SHP", SECRETS)
    assert await store.replace("toko", "SHP", SECRETS, revision=1)
    assert not await store.replace("toko", "SHP", SECRETS, revision=1)


async def test_what_a_person_brings_is_told_from_tokens_that_are_renewed(store: SecretsStore) -> None:
    with pytest.raises(NoSecrets):
        await store.authorisation("toko", "SHP")
    await store.write("toko", "SHP", SECRETS)
    assert await store.replace("toko", "SHP", SECRETS, revision=1)
    assert await store.authorisation("toko", "SHP") == 1
    await store.write("toko", "SHP", SECRETS)
    assert await store.authorisation("toko", "SHP") == 2


async def test_another_organisation_sees_no_secrets(store: SecretsStore, app_pool: Pool) -> None:
    await store.write("toko", "SHP", SECRETS)
    with pytest.raises(NoSecrets):
        await SecretsStore(app_pool, Sealer({"k": bytes(32)})).read("other", "SHP")


async def test_a_refresh_token_is_spent_once_by_processes_that_share_the_database(
    store: SecretsStore, worker_pool: Pool
) -> None:
    await store.write("toko", "SHP", SECRETS)
    spent: list[str] = []

    async def exchange(refresh_token: str) -> Tokens:
        spent.append(refresh_token)
        await asyncio.sleep(0)
        number = len(spent)
        return Tokens(
            access_token=f"access-{number}", refresh_token=f"refresh-{number}", expires_at=NOON + timedelta(hours=4)
        )

    def process() -> RotatingTokens:
        return RotatingTokens(DatabaseVault(store, worker_pool, "toko", "SHP"), exchange, lambda: NOON)

    stale = Tokens(access_token="access-0", refresh_token="refresh-0", expires_at=NOON)
    renewed = await asyncio.wait_for(asyncio.gather(process().refresh(stale), process().refresh(stale)), 20)
    assert spent == ["refresh-0"]
    assert {tokens.access_token for tokens in renewed} == {"access-1"}
    secrets, _ = await store.read("toko", "SHP")
    assert (secrets.access_token, secrets.refresh_token) == ("access-1", "refresh-1")
