"""Whether this process can do its work: each check asks one thing and gives up quickly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from infrastructure.postgres.migrate import migrations
from infrastructure.postgres.pool import Pool
from infrastructure.security.sealing import CannotUnseal
from infrastructure.shops.secrets import SecretsStore

SECONDS: Final = 1.5
"""How long a check may take before it counts as failed."""
OUTBOX_SECONDS: Final = 30.0
"""From when on an event that was not published is worth an alarm."""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a check found. `degraded` is worth an alarm, but commands are still accepted."""

    status: Literal["ok", "degraded", "failed"]
    detail: str = ""
    milliseconds: float = 0.0
    facts: dict[str, float] = {}


Check = Callable[[], Awaitable[Finding]]


async def run_checks(checks: Mapping[str, Check]) -> dict[str, Finding]:
    """All at once, so that the slowest decides how long it takes."""
    found = await asyncio.gather(*(_run(check) for check in checks.values()))
    return dict(zip(checks, found, strict=True))


async def _run(check: Check) -> Finding:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(SECONDS):
            finding = await check()
    except TimeoutError:
        finding = Finding(status="failed", detail=f"no answer within {SECONDS} s")
    except Exception as error:  # noqa: BLE001  # whatever stops a check is its finding; the type is told, the text may hold addresses
        finding = Finding(status="failed", detail=type(error).__name__)
    took = round((time.perf_counter() - started) * 1000, 1)
    return Finding(status=finding.status, detail=finding.detail, facts=finding.facts, milliseconds=took)


def database_check(pool: Pool) -> Check:
    async def check() -> Finding:
        async with pool.connection(timeout=SECONDS) as connection:
            await connection.execute("select 1")
        return Finding(status="ok")

    return check


def schema_check(pool: Pool) -> Check:
    """Whether the database has every migration that this code was written for. It may have newer ones."""
    needed = {migration.number for migration in migrations()}

    async def check() -> Finding:
        async with pool.connection(timeout=SECONDS) as connection:
            cursor = await connection.execute("select number from schema_migrations")
            applied = {number for (number,) in await cursor.fetchall()}
        facts = {"applied": float(max(applied, default=0)), "needed": float(max(needed, default=0))}
        if needed - applied:
            return Finding(status="failed", detail="migrations are missing; run: syncstore migrate", facts=facts)
        return Finding(status="ok", facts=facts)

    return check


def secrets_check(secrets: SecretsStore) -> Check:
    """Whether the shops' keys and tokens can be opened. Without them commands are accepted, and no shop hears of it."""

    async def check() -> Finding:
        try:
            await secrets.check()
        except CannotUnseal as error:
            detail = f"{error}; set SYNCSTORE_ENCRYPTION_KEYS to every key in use, or connect the shops again"
            return Finding(status="degraded", detail=detail)
        return Finding(status="ok")

    return check


def outbox_check(pool: Pool, *, alarm_seconds: float = OUTBOX_SECONDS) -> Check:
    """How long the oldest event has been waiting to be published: for ever, when no relay runs or Kafka is gone."""

    async def check() -> Finding:
        async with pool.connection(timeout=SECONDS) as connection:
            cursor = await connection.execute(
                "select events, extract(epoch from clock_timestamp() - oldest) from outbox_waiting()"
            )
            row = await cursor.fetchone()
        assert row is not None, "the function answers one row"
        seconds = max(float(row[1] or 0), 0.0)
        facts = {"events": float(row[0]), "oldest_seconds": round(seconds, 3)}
        if seconds > alarm_seconds:
            detail = "events are not being published; look at the relay and at Kafka"
            return Finding(status="degraded", detail=detail, facts=facts)
        return Finding(status="ok", facts=facts)

    return check


def kafka_check(bootstrap: str) -> Check:
    """Whether any of the brokers takes a connection. Commands are accepted without Kafka; they are published later."""

    async def check() -> Finding:
        reached = await asyncio.gather(*(_reaches(address) for address in bootstrap.split(",")))
        if any(reached):
            return Finding(status="ok", facts={"reached": float(sum(reached)), "brokers": float(len(reached))})
        return Finding(status="degraded", detail="no broker can be reached; events wait in the outbox")

    return check


async def _reaches(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
