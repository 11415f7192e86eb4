"""The whole way with servers that ask for TLS and a password: commands, relay, consumers, views."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.messages import CommandContext
from domain.product.commands import CreateProduct
from infrastructure.clock import TimeSortedIdentities
from infrastructure.event_store.postgres import PostgresEventStore
from infrastructure.local_stack import kafka as kafka_server
from infrastructure.local_stack.ports import LOOPBACK, choose_free
from infrastructure.postgres.pool import APP, open_pool
from services.usecases.products import Products
from tests.plugins.local_stack import JARS
from tests.plugins.shopee_simulator import until

SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
"""What a PostgreSQL client begins with that wants TLS."""
USER, PASSWORD = "syncstore", "rahasia"
SECURED = """
listeners=SASL_SSL://{address}:{broker},CONTROLLER://{address}:{controller}
advertised.listeners=SASL_SSL://{address}:{broker},CONTROLLER://{address}:{controller}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="b" user_broker="b" user_{user}="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={identity}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
"""


class SecuredKafka(kafka_server.KafkaServer):
    """Speaks TLS, and with nobody who has no password."""

    identity: Path
    authority: Path

    def _write_properties(self, path: Path, ports: Mapping[str, int], *, data: str) -> None:
        super()._write_properties(path, ports, data=data)
        plain = path.read_text().splitlines()
        kept = [line for line in plain if not line.startswith(("listeners=", "advertised.", "listener.security."))]
        secured = SECURED.format(
            address=LOOPBACK,
            broker=ports["kafka"],
            controller=ports["kafka_controller"],
            user=USER,
            password=PASSWORD,
            identity=self.identity,
            authority=self.authority,
        )
        path.write_text("\n".join(kept) + secured)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca.pem, the certificate that proves the server's, and server.pem and server.key."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(certificate)
    (folder / "server.key").write_bytes(private)
    (folder / "server.pem").write_bytes(private + certificate)
    return folder


@pytest.fixture(scope="module")
def secured_kafka(authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    server = SecuredKafka(tmp_path_factory.mktemp("stack") / "kafka", jars=JARS, java_home=None, report=lambda _: None)
    server.identity, server.authority = authority / "server.pem", authority / "ca.pem"
    server.prepare()
    broker = choose_free(frozenset())
    ports = {"kafka": broker, "kafka_controller": choose_free(frozenset({broker}))}
    process = server.start(ports)
    try:
        yield server.address(ports)
    finally:
        server.stop(process)


@pytest.fixture
async def secured_database(database_url: str, authority: Path) -> AsyncIterator[str]:
    """The test's database behind TLS, which the embedded PostgreSQL is built without: it is ended before it."""
    parts = conninfo_to_dict(database_url)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority / "server.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(8) != SSL_REQUEST:
            writer.close()
            return
        writer.write(b"S")
        await writer.start_tls(context)
        inner_reader, inner_writer = await asyncio.open_connection(str(parts["host"]), int(str(parts["port"])))
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    ours = {**parts, "port": port, "sslmode": "verify-full", "sslrootcert": str(authority / "ca.pem")}
    yield make_conninfo(**ours)
    server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until either side has ended."""
    try:
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.close()


@pytest.fixture
def environment(secured_database: str, secured_kafka: str, authority: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SYNCSTORE_DATABASE_URL": secured_database,
        "SYNCSTORE_KAFKA_BOOTSTRAP": secured_kafka,
        "SYNCSTORE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "SYNCSTORE_KAFKA_SASL_MECHANISM": "PLAIN",
        "SYNCSTORE_KAFKA_SASL_USERNAME": USER,
        "SYNCSTORE_KAFKA_SASL_PASSWORD": PASSWORD,
        "SYNCSTORE_KAFKA_SSL_CA_FILE": str(authority / "ca.pem"),
        "SYNCSTORE_ENCRYPTION_KEYS": "tests:" + "A" * 43 + "=",
    }


async def syncstore(*arguments: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run to its end: its exit code and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.cli.main",
        *arguments,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode is not None
    return process.returncode, said.decode()


@asynccontextmanager
async def running(*parts: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[None]:
    started = []
    with log.open("w+b") as output:
        for part in parts:
            command = (sys.executable, "-m", "services.cli.main", part)
            started.append(
                await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
            )
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            codes = await asyncio.wait_for(asyncio.gather(*(process.wait() for process in started)), 60)
        output.seek(0)
        assert codes == [0] * len(parts), output.read().decode()


async def test_a_command_reaches_the_views_over_tls_and_sasl(
    environment: dict[str, str], secured_database: str, tmp_path: Path
) -> None:
    async def topics_are_there() -> bool:
        code, said = await syncstore("topics", environment=environment)
        assert code == 0 or "does not answer" in said, said
        return code == 0

    await until(topics_are_there, 120)
    async with open_pool(secured_database, role=APP, name="tests") as pool:
        async with pool.connection() as connection:
            assert connection.pgconn.ssl_in_use
        products = Products(PostgresEventStore(pool), TimeSortedIdentities())
        context = CommandContext(org_id="toko", actor="tests", now=datetime.now(UTC), correlation_id=uuid4())
        create = CreateProduct(product_id="p1", sku="KOPI", name="Kopi Gayo", base_price=85_000)
        await products.handle(context, "p1", create)

        async def is_shown() -> bool:
            async with pool.connection() as connection, connection.transaction():
                await connection.execute("select set_config('syncstore.org', 'toko', true)")
                try:
                    cursor = await connection.execute("select name from projections.catalogue")
                except psycopg.errors.UndefinedTable:
                    return False
                return await cursor.fetchall() == [("Kopi Gayo",)]

        async with running("relay", "project", environment=environment, log=tmp_path / "parts.log"):
            await until(is_shown, 90)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"SYNCSTORE_KAFKA_SASL_PASSWORD": "salah"}, "Invalid username or password"),
        ({"SYNCSTORE_KAFKA_SSL_CA_FILE": ""}, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
async def test_a_broker_that_does_not_trust_us_or_is_not_trusted_is_named(
    environment: dict[str, str], secured_kafka: str, wrong: dict[str, str], said: str
) -> None:
    code, output = await syncstore("topics", environment={**environment, **wrong})
    assert code != 0
    assert said in output
    assert "Traceback" not in output
    assert PASSWORD not in output
    assert secured_kafka in output
