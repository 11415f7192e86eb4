"""Kafka is reached with the security that was set, and named when it cannot be reached."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infrastructure.kafka.client import KafkaSettings, KafkaUnavailable, reaching


def test_plain_connections_need_nothing_but_an_address() -> None:
    options = KafkaSettings(bootstrap="a:9092,b:9092").client_options()
    assert options == {"bootstrap_servers": "a:9092,b:9092", "security_protocol": "PLAINTEXT"}


def test_a_user_and_a_password_go_to_the_client_over_tls() -> None:
    options = KafkaSettings(
        bootstrap="a:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="relay",
        sasl_password="geheim",
    ).client_options()
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("relay", "geheim")
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


def test_a_client_certificate_is_loaded_and_the_authority_trusted(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    options = KafkaSettings(
        bootstrap="a:9093",
        security_protocol="SSL",
        ssl_ca_file=str(certificate),
        ssl_cert_file=str(certificate),
        ssl_key_file=str(key),
    ).client_options()
    (trusted,) = options["ssl_context"].get_ca_certs()
    assert trusted["subject"] == ((("commonName", "broker"),),)
    assert "sasl_mechanism" not in options


def test_a_certificate_that_is_not_there_is_an_error_before_any_connection() -> None:
    settings = KafkaSettings(bootstrap="a:9093", security_protocol="SSL", ssl_ca_file="/nowhere/ca.pem")
    with pytest.raises(OSError, match="No such file"):
        settings.client_options()


def test_the_password_does_not_get_into_logs() -> None:
    assert "geheim" not in repr(KafkaSettings(bootstrap="a:9092", sasl_username="relay", sasl_password="geheim"))


@pytest.mark.parametrize("error", [KafkaConnectionError("no"), ConnectionRefusedError(), TimeoutError()])
def test_an_unreachable_kafka_is_named_with_its_address(error: Exception) -> None:
    with (
        pytest.raises(KafkaUnavailable, match=r"kafka\.example:9092") as raised,
        reaching(KafkaSettings(bootstrap="kafka.example:9092")),
    ):
        raise error
    assert raised.value.__cause__ is error


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "broker.pem", folder / "broker.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
