from __future__ import annotations

import base64

import pytest

from infrastructure.settings import Settings, WrongSettings, read_settings

KEY = base64.b64encode(bytes(32)).decode()
OWN_SERVERS = {
    "SYNCSTORE_DATABASE_URL": "postgresql://db/syncstore",
    "SYNCSTORE_KAFKA_BOOTSTRAP": "kafka:9092",
    "SYNCSTORE_ENCRYPTION_KEYS": f"first:{KEY}",
}


def test_nothing_set_means_the_local_stack() -> None:
    settings = read_settings({"PATH": "/bin"})
    assert settings == Settings()
    assert settings.uses_local_stack


def test_own_servers_are_used_when_both_are_named() -> None:
    settings = read_settings(OWN_SERVERS)
    assert not settings.uses_local_stack
    assert settings.keys() == {"first": bytes(32)}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"SYNCSTORE_API_PORT": "eighty"}, "SYNCSTORE_API_PORT"),
        ({"SYNCSTORE_API_PORT": "70000"}, "SYNCSTORE_API_PORT"),
        ({"SYNCSTORE_PUSH_CONCURRENCY": "0"}, "SYNCSTORE_PUSH_CONCURRENCY"),
        ({"SYNCSTORE_LOG_LEVEL": "loud"}, "SYNCSTORE_LOG_LEVEL"),
        ({"SYNCSTORE_DATABSE_URL": "x"}, "did you mean SYNCSTORE_DATABASE_URL?"),
        ({"SYNCSTORE_KAFKA_BOOTSTRAP": ""}, "SYNCSTORE_KAFKA_BOOTSTRAP is missing"),
        ({"SYNCSTORE_DATABASE_URL": ""}, "SYNCSTORE_DATABASE_URL is missing"),
        ({"SYNCSTORE_DATABASE_URL": f"postgres:sari:{KEY}@db"}, "SYNCSTORE_DATABASE_URL is not an address"),
        ({"SYNCSTORE_DATABASE_URL": f"postgresql://sari:%zz{KEY}@db/x"}, "SYNCSTORE_DATABASE_URL is not an address"),
        ({"SYNCSTORE_ENCRYPTION_KEYS": ""}, "SYNCSTORE_ENCRYPTION_KEYS is missing"),
        ({"SYNCSTORE_ENCRYPTION_KEYS": "first:short"}, "SYNCSTORE_ENCRYPTION_KEYS must be"),
        ({"SYNCSTORE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "SYNCSTORE_KAFKA_SASL_MECHANISM"),
        (
            {"SYNCSTORE_KAFKA_SSL_CA_FILE": "/nowhere/ca.pem"},
            "SYNCSTORE_KAFKA_SSL_CA_FILE: there is no file /nowhere/ca.pem",
        ),
    ],
)
def test_a_wrong_setting_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(WrongSettings) as refusal:
        read_settings(OWN_SERVERS | change)
    assert named in str(refusal.value)
    assert KEY not in str(refusal.value)


def test_settings_of_the_test_suite_are_not_ours() -> None:
    assert read_settings({"SYNCSTORE_TEST_DATABASE_URL": "x"}) == Settings()
