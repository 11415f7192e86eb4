"""The command line as an operator uses it: against a real database, judged by what it prints and its exit code."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from services.cli.main import main
from tests.plugins.postgres import named

KEY = base64.b64encode(bytes(32)).decode()
NOWHERE = "127.0.0.1:1"
ROWS = """sku,product_sku,name,base_price,stock
KOPI-1,,Kopi Arabika Gayo 250g,85000,11
KOPI-2,,Kopi Robusta Lampung 250g,"189,50",4
"""


@pytest.fixture
def environment(database_url: str) -> dict[str, str | None]:
    return {
        "SYNCSTORE_DATABASE_URL": database_url,
        "SYNCSTORE_KAFKA_BOOTSTRAP": NOWHERE,
        "SYNCSTORE_ENCRYPTION_KEYS": f"k1:{KEY}",
    }


def syncstore(environment: dict[str, str | None], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)


def count(url: str | None, table: str) -> int:
    assert url is not None
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.csv"
    path.write_text(ROWS)
    return path


def test_a_preview_tells_everything_and_stores_nothing(environment: dict[str, str | None], catalogue: Path) -> None:
    told = syncstore(environment, "import", str(catalogue), "--preview")
    assert "2 rows: 1 would be created, 0 would be updated, 0 unchanged, 1 rejected" in told.stdout
    assert "line 3, base_price" in told.stdout
    assert told.exit_code == 3
    assert count(environment["SYNCSTORE_DATABASE_URL"], "events") == 0


def test_an_import_takes_the_good_rows_and_names_the_others(
    environment: dict[str, str | None], catalogue: Path
) -> None:
    told = syncstore(environment, "import", str(catalogue), "--json")
    report = json.loads(told.stdout)
    assert (report["created"], report["rejected"]) == (1, 1)
    assert report["rejections"][0]["line"] == 3
    assert count(environment["SYNCSTORE_DATABASE_URL"], "events") == 2  # the product and its stock
    again = syncstore(environment, "import", str(catalogue))
    assert "0 created, 0 updated, 1 unchanged, 1 rejected" in again.stdout


def test_an_import_names_the_columns_it_does_not_use(environment: dict[str, str | None], tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("sku,name,base_price,stok,warna\nBTK,Kemeja,189000,24,merah\nKPI,Kopi\n")
    told = syncstore(environment, "import", str(path), "--preview")
    assert "column 'stok' is not used: SyncStore knows no such column. Did you mean stock?" in told.stdout
    assert "column 'warna' is not used: SyncStore knows no such column.\n" in told.stdout
    assert "line 3: the row has 2 cells, the headings are 5. Put cells" in told.stdout
    report = json.loads(syncstore(environment, "import", str(path), "--preview", "--json").stdout)
    assert report["unused_columns"] == [{"heading": "stok", "meant": "stock"}, {"heading": "warna", "meant": None}]


def test_a_file_without_rows_is_told(environment: dict[str, str | None], tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text("sku,name,base_price\n")
    told = syncstore(environment, "import", str(path))
    assert "there is no row below the headings" in told.stdout


def test_a_file_without_columns_is_refused_as_a_whole_with_the_remedy(
    environment: dict[str, str | None], tmp_path: Path
) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("\n")
    told = syncstore(environment, "import", str(path))
    assert told.exit_code == 1
    assert "Give a CSV file whose first row names the columns." in told.stderr


def test_a_key_is_made_listed_without_its_secret_and_revoked(environment: dict[str, str | None]) -> None:
    made = syncstore(environment, "keys", "create", "--org", "toko", "--name", "kasir", "--scopes", "products:read")
    key = made.stdout.strip()
    assert key.startswith("sk_")
    _, key_id, secret = key.split("_", 2)
    listed = syncstore(environment, "keys", "list", "--org", "toko").stdout
    assert key_id in listed
    assert "kasir" in listed
    assert secret not in listed
    assert "revoked" in syncstore(environment, "keys", "revoke", "--org", "toko", key_id).stdout
    twice = syncstore(environment, "keys", "revoke", "--org", "toko", key_id)
    assert twice.exit_code == 1
    assert "syncstore keys list --org toko" in twice.stderr


def test_an_unknown_scope_is_named(environment: dict[str, str | None]) -> None:
    told = syncstore(environment, "keys", "create", "--org", "toko", "--name", "x", "--scopes", "everything")
    assert told.exit_code == 1
    assert "everything: no such scope; there are" in told.stderr


def test_migrating_twice_is_harmless(environment: dict[str, str | None]) -> None:
    assert syncstore(environment, "migrate").stdout == "the schema is up to date\n"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_simulator_on_a_taken_port_tells_the_port_and_the_remedy_in_one_line(taken: int) -> None:
    command = [sys.executable, "-m", "services.cli.main", "simulate", "shopee", "--port", str(taken)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    (line,) = (told.stdout + told.stderr).splitlines()
    assert f"port {taken} on 127.0.0.1 cannot be listened on (Address already in use)" in line
    assert "choose another with --port" in line


def test_an_api_on_a_taken_port_tells_the_port_and_the_remedy(environment: dict[str, str | None], taken: int) -> None:
    command = [sys.executable, "-m", "services.cli.main", "api", "--port", str(taken)]
    variables = {**os.environ, **{name: value for name, value in environment.items() if value is not None}}
    told = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    said = told.stdout + told.stderr
    assert "Traceback" not in said
    (line,) = (line for line in said.splitlines() if str(taken) in line)
    assert "choose another with --port or SYNCSTORE_API_PORT" in line


def test_a_whole_system_whose_port_is_taken_is_not_started(
    environment: dict[str, str | None], taken: int, tmp_path: Path
) -> None:
    own = {**environment, "SYNCSTORE_LOCAL_FOLDER": str(tmp_path), "SYNCSTORE_API_PORT": str(taken)}
    told = syncstore(own, "up")
    assert told.exit_code == 1
    assert told.output == (
        f"Error: port {taken} on 127.0.0.1 cannot be listened on (Address already in use); "
        "choose another with SYNCSTORE_API_PORT\n"
    )


def test_kafka_away_is_told_with_its_address(environment: dict[str, str | None]) -> None:
    told = syncstore(environment, "topics")
    assert told.exit_code == 1
    assert NOWHERE in told.stderr


def test_postgresql_away_is_told(environment: dict[str, str | None]) -> None:
    away = environment | {"SYNCSTORE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    told = syncstore(away, "migrate")
    assert told.exit_code == 1
    assert "PostgreSQL does not answer" in told.stderr


def test_a_wrong_setting_stops_every_command_by_name(environment: dict[str, str | None]) -> None:
    told = syncstore(environment | {"SYNCSTORE_API_PORT": "eighty"}, "migrate")
    assert told.exit_code == 1
    assert "SYNCSTORE_API_PORT" in told.stderr


def test_relay_status_tells_what_waits_and_that_nobody_relays(
    environment: dict[str, str | None], catalogue: Path
) -> None:
    syncstore(environment, "import", str(catalogue))
    told = syncstore(environment, "relay", "status").stdout
    assert "waiting   2 events" in told
    assert "no relay is running; start one with: syncstore relay" in told
    assert syncstore(environment, "relay", "parked").stdout == "nothing is parked\n"


def test_a_view_that_does_not_exist_is_answered_with_those_that_do(environment: dict[str, str | None]) -> None:
    told = syncstore(environment, "projections", "verify", "nonsense")
    assert told.exit_code == 1
    assert "there are catalogue, history, listing_status, conflicts" in told.stderr


def test_health_tells_when_the_api_does_not_answer(environment: dict[str, str | None]) -> None:
    told = syncstore(environment, "health", "--url", "http://127.0.0.1:1")
    assert told.exit_code == 1
    assert "does not answer" in told.stderr


def test_a_taken_port_ends_the_api_with_the_setting_to_change(environment: dict[str, str | None]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        variables = {name: value for name, value in environment.items() if value is not None}
        ended = subprocess.run(
            [sys.executable, "-m", "services.cli.main", "api"],
            env={**variables, "SYNCSTORE_API_PORT": str(port), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode != 0
    assert f"port {port}" in ended.stderr
    assert "SYNCSTORE_API_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "jobs_interrupted" not in ended.stderr


def test_a_supervised_part_stops_cleanly_when_its_supervisor_is_gone(environment: dict[str, str | None]) -> None:
    variables = {name: value for name, value in environment.items() if value is not None}
    with subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "api"],
        env={**variables, "SYNCSTORE_API_PORT": "0", "SYNCSTORE_SUPERVISED": "true", "PATH": ""},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as part:
        assert part.stdin is not None
        assert part.stderr is not None
        assert "part_started" in part.stderr.readline()
        part.stderr.close()
        part.stdin.close()
        assert part.wait(60) == 0


@pytest.mark.parametrize(
    "words", ["verify", "projections rebuild catalogue", "relay republish --from-position 0", "consumers release x y"]
)
def test_each_question_tells_when_kafka_is_away(environment: dict[str, str | None], words: str) -> None:
    told = syncstore(environment, *words.split())
    assert told.exit_code == 1
    assert f"Kafka at {NOWHERE} does not answer" in told.stderr


QUESTIONS = [
    "keys create --org toko --name kasir --scopes products:read",
    "keys list --org toko",
    "keys revoke --org toko 1234",
    "relay status",
    "relay parked",
    "relay release key",
    "relay drop key --reason x",
    "relay republish --from-position 0",
    "consumers parked",
    "consumers release project key",
    "consumers drop project key --reason x",
    "projections list",
    "projections rebuild catalogue",
    "projections verify catalogue",
    "verify",
    f"import {Path(__file__)}",
    "connect shopee --org toko --id SHP --label x --shop-id 1 --partner-id 1 --partner-key x --code x --host http://127.0.0.1:1",
]


@pytest.mark.parametrize("words", QUESTIONS)
def test_each_question_tells_in_a_line_that_postgresql_is_away(environment: dict[str, str | None], words: str) -> None:
    url = "postgresql://nobody:rahasia@127.0.0.1:1/none"
    told = syncstore(environment | {"SYNCSTORE_DATABASE_URL": url}, *words.split())
    assert told.exit_code == 1
    assert told.stderr.startswith("Error: PostgreSQL at 127.0.0.1:1/none cannot be reached; is it running, ")
    assert told.stderr.count("\n") == 1
    assert "rahasia" not in told.output


@pytest.mark.parametrize("words", QUESTIONS)
def test_each_question_tells_in_a_line_that_the_database_was_not_migrated(
    environment: dict[str, str | None], postgres_url: str, words: str
) -> None:
    told = syncstore(environment | {"SYNCSTORE_DATABASE_URL": named(postgres_url, "template1")}, *words.split())
    assert told.exit_code == 1
    assert "has no schema of SyncStore yet; run: syncstore migrate\n" in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_schema_of_another_version_is_told_with_the_command_that_brings_ours(
    environment: dict[str, str | None],
) -> None:
    url = environment["SYNCSTORE_DATABASE_URL"]
    assert url is not None
    with psycopg.connect(url) as connection:
        connection.execute("drop table consumer_parked cascade")
    told = syncstore(environment, "consumers", "parked")
    assert told.exit_code == 1
    assert 'relation "consumer_parked" does not exist' in told.stderr
    assert "run: syncstore migrate" in told.stderr


def test_health_names_a_wrong_setting(environment: dict[str, str | None]) -> None:
    told = syncstore(environment | {"SYNCSTORE_API_PROT": "1"}, "health")
    assert told.exit_code == 1
    assert "did you mean SYNCSTORE_API_PORT?" in told.stderr
