import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.platforms.tokens import MemoryVault, RotatingTokens, Tokens, expiry

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def pair(number: int) -> Tokens:
    return Tokens(access_token=f"a{number}", refresh_token=f"r{number}", expires_at=NOW + timedelta(hours=4))


class Exchange:
    """Gives the next pair, each refresh token once, and only when allowed to."""

    def __init__(self) -> None:
        self.spent: list[str] = []
        self.allowed = asyncio.Event()

    async def __call__(self, token: str) -> Tokens:
        self.spent.append(token)
        await self.allowed.wait()
        return pair(len(self.spent) + 1)


async def test_parallel_refreshes_spend_the_refresh_token_once() -> None:
    exchange = Exchange()
    exchange.allowed.set()
    source = RotatingTokens(MemoryVault(pair(1)), exchange, lambda: NOW)
    stale = await source.current()
    fresh = await asyncio.gather(*(source.refresh(stale) for _ in range(10)))
    assert exchange.spent == ["r1"]
    assert {tokens.access_token for tokens in fresh} == {"a2"}
    assert (await source.current()).access_token == "a2"


async def test_sources_that_share_a_vault_share_the_new_pair() -> None:
    exchange = Exchange()
    exchange.allowed.set()
    vault = MemoryVault(pair(1))
    one, other = (RotatingTokens(vault, exchange, lambda: NOW) for _ in range(2))
    stale = await other.current()
    await one.refresh(await one.current())
    assert (await other.refresh(stale)).access_token == "a2"
    assert exchange.spent == ["r1"]


async def test_a_caller_who_gives_up_does_not_lose_the_new_pair() -> None:
    exchange = Exchange()
    vault = MemoryVault(pair(1))
    source = RotatingTokens(vault, exchange, lambda: NOW)
    caller = asyncio.create_task(source.refresh(await source.current()))
    while not exchange.spent:
        await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    exchange.allowed.set()
    async with vault.exclusively():
        assert (await vault.load()).access_token == "a2"


@pytest.mark.parametrize(("expire_in", "at"), [(14_400, NOW + timedelta(hours=4)), (1_795_238_400, None)])
def test_a_lifetime_that_is_too_long_to_be_one_is_an_epoch(expire_in: int, at: datetime | None) -> None:
    assert expiry(expire_in, NOW) == (at or datetime.fromtimestamp(expire_in, UTC))


def test_tokens_do_not_show_themselves() -> None:
    assert "a1" not in repr(pair(1))
    assert "r1" not in repr(pair(1))
