import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError, ServerDiedError, files_translated
from infrastructure.local_stack.kafka import KafkaServer
from infrastructure.local_stack.ports import choose_free, describe_holder, is_free
from infrastructure.local_stack.postgres import PostgresServer
from infrastructure.local_stack.process import ProcessIdentity, identify_by_pid_file, is_alive
from infrastructure.local_stack.server import Server
from infrastructure.local_stack.state import Report, State, StateFile, exclusive, make_folder

REPEAT_SECONDS = 20.0


class Part(StrEnum):
    POSTGRES = "postgres"
    KAFKA = "kafka"


class Condition(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    CRASHED = "crashed"


@dataclass(frozen=True)
class StackAddress:
    """Where clients find the servers; of a part that was never started, where it will be."""

    database_url: str
    kafka_bootstrap: str


@dataclass(frozen=True)
class PartStatus:
    condition: Condition
    pid: int | None
    port: int | None
    data_bytes: int


@dataclass(frozen=True)
class StackStatus:
    postgres: PartStatus
    kafka: PartStatus


class LocalStack:
    """PostgreSQL and Kafka on the loopback interface, all their data in one folder.

    Every method raises LocalStackError when it cannot do its work. `durable=False` lets PostgreSQL skip fsync: faster,
    safe against killed processes, not against power cuts. `jars` may name a cache that several stacks share.
    """

    def __init__(
        self,
        folder: Path,
        *,
        report: Report = lambda _: None,
        durable: bool = True,
        jars: Path | None = None,
        java_home: Path | None = None,
    ) -> None:
        self._folder = folder.absolute()
        self._report = report
        self._lock_file = self._folder / "stack.lock"
        self._state_file = StateFile(self._folder / "state.json", report)
        self._state_lock = threading.Lock()
        self._postgres = PostgresServer(self._folder / Part.POSTGRES, durable=durable, report=report)
        jars = (jars or self._folder / "jars").absolute()
        self._kafka = KafkaServer(self._folder / Part.KAFKA, jars=jars, java_home=java_home, report=report)
        self._servers: dict[Part, Server] = {Part.POSTGRES: self._postgres, Part.KAFKA: self._kafka}

    @files_translated()
    def up(self, parts: Iterable[Part] = tuple(Part)) -> StackAddress:
        """Start what is not running; answers when it serves clients. If one part fails, the other keeps running."""
        make_folder(self._folder)
        with exclusive(self._lock_file, self._report):
            state = self._load()
            self._assign_ports(state)
            self._in_parallel(lambda part: self._start(part, state), parts)
            return StackAddress(
                database_url=self._postgres.address(state.ports), kafka_bootstrap=self._kafka.address(state.ports)
            )

    @files_translated()
    def down(self) -> None:
        """Stop what the stack of this folder started, and nothing else."""
        if self._folder.exists():
            with exclusive(self._lock_file, self._report):
                self._stop_all(self._load())

    @files_translated()
    def reset(self) -> None:
        """Stop the servers and delete their data; jars and ports are kept."""
        if self._folder.exists():
            with exclusive(self._lock_file, self._report):
                self._stop_all(self._load())
                for server in self._servers.values():
                    if server.folder.exists():
                        self._report(f"deleting the data of {server.title}")
                        _delete(server.folder)

    @files_translated()
    def status(self) -> StackStatus:
        state = self._load()
        return StackStatus(postgres=self._status(Part.POSTGRES, state), kafka=self._status(Part.KAFKA, state))

    def _status(self, part: Part, state: State) -> PartStatus:
        server = self._servers[part]
        process = self._running(part, state)
        absent = Condition.CRASHED if part in state.processes else Condition.STOPPED
        return PartStatus(
            condition=Condition.RUNNING if process else absent,
            pid=process.pid if process else None,
            port=state.ports.get(server.port_names[0]),
            data_bytes=_size(server.folder),
        )

    def _start(self, part: Part, state: State) -> None:
        server = self._servers[part]
        process = self._running(part, state)
        if process is not None:
            server.wait_ready(process, state.ports)
            self._remember(state, part, process)
            self._report(f"{server.title} is running already, pid {process.pid}")
            return
        if part in state.processes:
            self._report(f"{server.title} had crashed; starting it again with its data")
        version = server.prepare()
        self._choose_ports(server, state)
        self._report(f"starting {server.title} {version} on port {state.ports[server.port_names[0]]}")
        began = time.monotonic()
        while True:
            try:
                process = server.start(state.ports)
                self._remember(state, part, process, version)
                server.wait_ready(process, state.ports)
                break
            except ServerDiedError:
                self._forget(state, part)
                if time.monotonic() - began > REPEAT_SECONDS or not server.is_start_worth_repeating():
                    raise
                time.sleep(0.5)
        self._report(f"{server.title} is ready after {time.monotonic() - began:.1f} s, pid {process.pid}")

    def _choose_ports(self, server: Server, state: State) -> None:
        for name in server.port_names:
            with self._state_lock:
                remembered = state.ports[name]
                if not is_free(remembered):
                    state.ports[name] = choose_free(excluding=frozenset(state.ports.values()))
                    self._report(
                        f"port {remembered} of {server.title} is taken by {describe_holder(remembered)}; "
                        f"using {state.ports[name]} from now on"
                    )

    def _stop_all(self, state: State) -> None:
        self._in_parallel(lambda part: self._stop(part, state), Part)

    def _stop(self, part: Part, state: State) -> None:
        server = self._servers[part]
        process = self._running(part, state)
        if process is not None:
            server.stop(process)
            self._report(f"{server.title} is stopped")
        self._forget(state, part)

    def _running(self, part: Part, state: State) -> ProcessIdentity | None:
        """By the state file; else by the server's pid file, when we were killed before we could note the process."""
        noted = state.processes.get(part)
        if noted is not None and is_alive(noted):
            return noted
        server = self._servers[part]
        return identify_by_pid_file(server.pid_file, server.marker)

    def _load(self) -> State:
        """The state file's content; ports that it has lost are still in the servers' own configuration."""
        state = self._state_file.load()
        for server in self._servers.values():
            state.ports = server.configured_ports() | state.ports
        return state

    def _assign_ports(self, state: State) -> None:
        """To every part, started now or later, so that an address once handed out stays."""
        for server in self._servers.values():
            for name in server.port_names:
                if name not in state.ports:
                    state.ports[name] = choose_free(excluding=frozenset(state.ports.values()))

    def _remember(self, state: State, part: Part, process: ProcessIdentity, version: str | None = None) -> None:
        with self._state_lock:
            state.processes[part] = process
            if version is not None:
                state.versions[part] = version
            self._state_file.save(state)

    def _forget(self, state: State, part: Part) -> None:
        with self._state_lock:
            state.processes.pop(part, None)
            self._state_file.save(state)

    @staticmethod
    def _in_parallel(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
        with ThreadPoolExecutor(max_workers=len(Part)) as pool:
            running = [pool.submit(work, part) for part in dict.fromkeys(parts)]
        errors = [error for error in (future.exception() for future in running) if error is not None]
        refusals = [error for error in errors if isinstance(error, LocalStackError)]
        if len(errors) > len(refusals):
            raise next(error for error in errors if not isinstance(error, LocalStackError))
        if len(refusals) == 1:
            raise refusals[0]
        if refusals:
            raise LocalStackError("\n".join(map(str, refusals))) from refusals[0]


def _size(folder: Path) -> int:
    """Bytes in all files. Folders that another user keeps to itself, and files that vanish meanwhile, count nothing."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(path) / name).stat().st_size
    return total


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise LocalStackError(
            f"{folder} could not be deleted ({error.strerror}). Delete it by hand, as its owner or as root."
        ) from error
