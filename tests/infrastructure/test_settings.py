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
        *(
            ({"SYNCSTORE_KAFKA_BOOTSTRAP": brokers}, f"SYNCSTORE_KAFKA_BOOTSTRAP={brokers} must be host:port")
            for brokers in (
                "kafka:abc",
                "kafka",
                "kafka:",
                ":9092",
                "a:9092,,b:9092",
                "a:9092,",
                "a:0",
                "a:65536",
                "::1:9092",
                "kafka://a:9092",
                "a:9092/x",
                "a:9²",
                "a b:1",
                "[kafka:9092",
                ",",
            )
        ),
        *(
            ({"SYNCSTORE_API_HOST": host}, f"SYNCSTORE_API_HOST={host} must be a host name")
            for host in ("http://127.0.0.1", "127.0.0.1:8080", "a b", "[::1]", "-")
        ),
        *(
            ({"SYNCSTORE_PUBLIC_URL": url}, "SYNCSTORE_PUBLIC_URL must be an address like https://")
            for url in (
                "sync.example",
                "ftp://sync.example",
                "https://",
                "https://a/",
                "https://a:port",
                "https://a:",
                "https://a?b",
                f"https://u:{KEY}@a",
                "https://[a",
                "https://a b",
                "https://a:99999",
            )
        ),
        *(
            ({"SYNCSTORE_PICTURE_HOSTS": hosts}, f"SYNCSTORE_PICTURE_HOSTS={hosts} must be host names")
            for hosts in ("https://a", "a,,b", "a/b", "a:80")
        ),
        *(
            (
                {"SYNCSTORE_DATABASE_URL": f"postgresql://u:{KEY[:20]}@db:{port}/x"},
                "SYNCSTORE_DATABASE_URL: the port must be",
            )
            for port in ("abc", "0", "65536")
        ),
        *(
            ({"SYNCSTORE_POLL_SECONDS": seconds}, "SYNCSTORE_POLL_SECONDS")
            for seconds in ("inf", "nan", "1e12", "0", "-1", "soon")
        ),
        ({"SYNCSTORE_LOCAL_FOLDER": __file__}, f"SYNCSTORE_LOCAL_FOLDER={__file__} must be a folder"),
        ({"SYNCSTORE_SUPERVISED": "perhaps"}, "SYNCSTORE_SUPERVISED"),
        ({"SYNCSTORE_KEEP_DAYS": "1.5"}, "SYNCSTORE_KEEP_DAYS"),
        ({"SYNCSTORE_KAFKA_SSL_KEY_FILE": __file__}, "SYNCSTORE_KAFKA_SSL_KEY_FILE needs"),
        ({"SYNCSTORE_ENCRYPTION_KEYS": "first:é"}, "SYNCSTORE_ENCRYPTION_KEYS must be"),
        ({"SYNCSTORE_ENCRYPTION_KEYS": f"{'x' * 300}:{KEY}"}, "SYNCSTORE_ENCRYPTION_KEYS must be"),
        ({"SYNCSTORE_ENCRYPTION_KEYS": f"a:{KEY},a:{KEY}"}, "SYNCSTORE_ENCRYPTION_KEYS has two keys 'a'"),
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


@pytest.mark.parametrize(
    "right",
    [
        {"SYNCSTORE_KAFKA_BOOTSTRAP": "kafka-1.example:9092, my_kafka:9093,10.0.0.1:1,[::1]:9092"},
        {"SYNCSTORE_API_HOST": "::"},
        {"SYNCSTORE_API_HOST": "localhost"},
        {"SYNCSTORE_PUBLIC_URL": "http://127.0.0.1:8080"},
        {"SYNCSTORE_PUBLIC_URL": "https://[::1]:8443/sync"},
        {"SYNCSTORE_PICTURE_HOSTS": "images.example, cdn.example"},
        {"SYNCSTORE_DATABASE_URL": "postgresql://a:5432,b:5433/x"},
        {"SYNCSTORE_DATABASE_URL": "host=/run/postgresql dbname=x"},
    ],
)
def test_addresses_of_every_usual_kind_are_taken(right: dict[str, str]) -> None:
    ((name, value),) = right.items()
    assert getattr(read_settings(OWN_SERVERS | right), name.removeprefix("SYNCSTORE_").lower()) == value


def test_settings_of_the_test_suite_are_not_ours() -> None:
    assert read_settings({"SYNCSTORE_TEST_DATABASE_URL": "x"}) == Settings()
