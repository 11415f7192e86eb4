"""What an operator asks about the outbox and does about parked keys, on the command line."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from infrastructure.outbox.leases import Leases
from infrastructure.outbox.reader import Outbox, Refused
from infrastructure.outbox.shards import SHARDS
from infrastructure.postgres.pool import WORKER, Pool, open_pool
from services.cli.relaying import relay
from tests.support.backlog import rounds, store

Command = Callable[..., Result]


@pytest.fixture
def command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`syncstore relay ...` on the test's database; none of the questions needs Kafka."""
    monkeypatch.setenv("SYNCSTORE_DATABASE_URL", database_url)
    monkeypatch.setenv("SYNCSTORE_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("SYNCSTORE_ENCRYPTION_KEYS", f"test:{base64.b64encode(bytes(32)).decode()}")
    return lambda *words: CliRunner().invoke(relay, words)


@pytest.fixture
def parked(database_url: str) -> int:
    """Three events of key p1 wait, the first was refused; two of p2 are in the outbox. Answers the first's position."""

    async def park(pool: Pool) -> int:
        async with pool.connection() as connection:
            stored = await store(connection, [*rounds(["p1"], [1, 2, 3]), *rounds(["p2"], [1, 2])])
        terms = await Leases(pool, "relay-a", ttl=60).claim(SHARDS)
        outbox = Outbox(pool, "relay-a")
        rows = await outbox.pending(low=0, passed={}, shards=range(SHARDS), under_way=(), limit=10)
        first, *others = [row for row in rows if row.partition_key == b"p1"]
        refused = [Refused(first, "too large for Kafka"), *(Refused(row, None) for row in others)]
        assert await outbox.park(refused, terms) == 3
        return stored[0]

    async def run() -> int:
        async with asyncio.timeout(30), open_pool(database_url, role=WORKER, name="tests-cli") as pool:
            return await park(pool)

    return asyncio.run(run())


def test_an_idle_outbox_says_so_and_how_to_start_a_relay(command: Command) -> None:
    answer = command("status")
    assert answer.exit_code == 0
    assert "waiting   0 events" in answer.output
    assert "start one with: syncstore relay" in answer.output
    assert command("parked").output == "nothing is parked\n"


@pytest.mark.usefixtures("parked")
def test_status_tells_what_waits_and_who_holds_the_shards(command: Command) -> None:
    answer = command("status")
    assert answer.exit_code == 0
    assert "waiting   2 events" in answer.output
    assert "parked    3 events" in answer.output
    assert "relay-a   64 shards" in answer.output


def test_a_parked_key_is_listed_with_its_reason_and_released(command: Command, parked: int) -> None:
    listed = command("parked").output
    assert listed.startswith(f"p1  3 events from position {parked},")
    assert "too large for Kafka" in listed
    assert command("release", "p1").output == "3 events are on their way again\n"
    assert "waiting   5 events" in command("status").output
    assert command("parked").output == "nothing is parked\n"


@pytest.mark.usefixtures("parked")
def test_a_refused_event_is_dropped_for_a_reason_only(command: Command) -> None:
    assert "--reason" in command("drop", "p1").output
    assert "parked    3 events" in command("status").output
    dropped = command("drop", "p1", "--reason", "wrong import", "--by", "user:sari")
    assert dropped.output == "given up; 2 events behind it are on their way again\n"
    assert "waiting   4 events" in command("status").output


@pytest.mark.parametrize("words", [("release", "p9"), ("drop", "p9", "--reason", "-")])
def test_a_key_that_is_not_parked_is_named_and_where_to_look(command: Command, words: tuple[str, ...]) -> None:
    answer = command(*words)
    assert answer.exit_code == 1
    assert "'p9' is parked" in answer.output
    assert "syncstore relay parked" in answer.output


def test_republishing_asks_which_events(command: Command) -> None:
    answer = command("republish")
    assert answer.exit_code == 2
    assert "--from-position 0 for all" in answer.output


def test_republishing_tells_when_kafka_is_away(command: Command) -> None:
    answer = command("republish", "--product", "p1", "--topic", "syncstore.stock")
    assert answer.exit_code == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in answer.output
