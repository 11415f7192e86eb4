import base64
import re
import signal
import uuid
from collections.abc import Mapping
from pathlib import Path

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.jars import KAFKA_VERSION, kafka_jars
from infrastructure.local_stack.java import find_java
from infrastructure.local_stack.kafka_probe import ask_metadata
from infrastructure.local_stack.ports import LOOPBACK
from infrastructure.local_stack.process import ProcessIdentity, run, spawn, stop
from infrastructure.local_stack.server import unfinished, wait_until
from infrastructure.local_stack.state import Report

STOP_SECONDS = 30.0
LOCALE = "C.UTF-8"  # Java decodes the names of files by it

# A development broker: starts fast, stays small.
JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

# One node cannot replicate, so every factor is 1. After a kill the controller waits a session timeout before the broker
# may register again, hence the short one. How records reach the disk is left at Kafka's defaults.
PROPERTIES = """\
# Written at every start.
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{address}:{broker},CONTROLLER://{address}:{controller}
advertised.listeners=PLAINTEXT://{address}:{broker},CONTROLLER://{address}:{controller}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers={address}:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
num.partitions=12
auto.create.topics.enable=false
delete.topic.enable=true
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=4000
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=33554432
"""


class KafkaServer:
    title = "Kafka"
    port_names: tuple[str, ...] = ("kafka", "kafka_controller")

    def __init__(self, folder: Path, *, jars: Path, java_home: Path | None, report: Report) -> None:
        self.folder = folder
        self.pid_file = folder / "server.pid"
        self.marker = str(folder / "server.properties")
        self._properties = folder / "server.properties"
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._jars = jars
        self._java_home = java_home
        self._report = report
        self._command: list[str] = []

    def prepare(self) -> str:
        java = find_java(self._java_home)
        class_path = ":".join(str(jar) for jar in kafka_jars(self._jars, self._report))
        self._command = [str(java), *JVM, *LOGGING, "-cp", class_path]
        self.folder.mkdir(exist_ok=True)
        return KAFKA_VERSION

    def start(self, ports: Mapping[str, int]) -> ProcessIdentity:
        if not self._data.exists():
            self._format(ports)
        self._write_properties(self._properties, ports, data="data")
        return spawn(
            [*self._command, "kafka.Kafka", str(self._properties)],
            log=self._log,
            pid_file=self.pid_file,
            working_directory=self.folder,
            locale=LOCALE,
            account=None,
        )

    def _format(self, ports: Mapping[str, int]) -> None:
        self._report("formatting Kafka's storage")
        fresh = unfinished(self.folder)
        properties = self.folder / "format.properties"
        self._write_properties(properties, ports, data=fresh.name)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # One argument with its option: every 64th id begins with a dash.
        options = ["format", "--standalone", f"--cluster-id={cluster}", "--config", str(properties)]
        command = [*self._command, "kafka.tools.StorageTool", *options]
        made = run(command, account=None, working_directory=self.folder, locale=LOCALE)
        properties.unlink()
        if made.returncode != 0:
            raise LocalStackError(
                f"Kafka could not format its storage in {fresh}: {made.stdout.strip()} {made.stderr.strip()}. "
                "Look at the space and the rights on that folder, and whether this Java runs."
            )
        fresh.rename(self._data)

    def _write_properties(self, path: Path, ports: Mapping[str, int], *, data: str) -> None:
        # The data folder is relative to the working directory: Kafka splits this value at commas.
        path.write_text(
            PROPERTIES.format(address=LOOPBACK, broker=ports["kafka"], controller=ports["kafka_controller"], data=data)
        )

    def wait_ready(self, process: ProcessIdentity, ports: Mapping[str, int]) -> None:
        cluster = re.search(r"^cluster\.id=(.+)$", (self._data / "meta.properties").read_text(), re.MULTILINE)
        assert cluster is not None, "Kafka's formatter writes the cluster id"
        cluster_id = cluster[1].strip()
        wait_until(lambda: _amiss(ports["kafka"], cluster_id), process, self.title, self._log)

    def is_start_worth_repeating(self) -> bool:
        return False

    def stop(self, process: ProcessIdentity) -> None:
        stop(process, politely=signal.SIGTERM, forcibly=signal.SIGKILL, patience=STOP_SECONDS)

    def configured_ports(self) -> dict[str, int]:
        text = self._properties.read_text() if self._properties.exists() else ""
        found = re.search(r"^listeners=PLAINTEXT://[\d.]+:(\d+),CONTROLLER://[\d.]+:(\d+)$", text, re.MULTILINE)
        return {"kafka": int(found[1]), "kafka_controller": int(found[2])} if found else {}

    def address(self, ports: Mapping[str, int]) -> str:
        return f"{LOOPBACK}:{ports['kafka']}"


def _amiss(port: int, cluster_id: str) -> str | None:
    try:
        metadata = ask_metadata(port)
    except (OSError, ValueError) as error:
        return str(error)
    if metadata.cluster_id != cluster_id:
        return f"port {port} is answered by another Kafka cluster ({metadata.cluster_id})"
    return None if port in metadata.broker_ports else "the broker has not registered yet"
