"""Which PostgreSQL and Kafka this process works with: one's own, or the local stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from infrastructure.kafka.client import KafkaSettings
from infrastructure.local_stack.stack import Condition, LocalStack
from infrastructure.security.local_key import local_key
from infrastructure.settings import Settings, inherited_environment


def with_servers(settings: Settings, report: Callable[[str], None]) -> Settings:
    """Settings that name servers: unchanged where they do already, else the local stack's, started if need be.

    Raises LocalStackError.
    """
    if not settings.uses_local_stack:
        return settings
    address = LocalStack(settings.folder, report=report).up()
    return replace(
        settings,
        database_url=address.database_url,
        kafka_bootstrap=address.kafka_bootstrap,
        encryption_keys=settings.encryption_keys or local_key(settings.folder),
    )


@contextmanager
def servers_for(settings: Settings, report: Callable[[str], None]) -> Iterator[Settings]:
    """As `with_servers`; a local stack that was not running before is stopped in the end, its data kept.

    Raises LocalStackError.
    """
    stack = LocalStack(settings.folder, report=report)
    found = stack.status() if settings.uses_local_stack else None
    ran_before = found is None or Condition.RUNNING in (found.postgres.condition, found.kafka.condition)
    try:
        yield with_servers(settings, report)
    finally:
        if not ran_before:
            stack.down()


def environment_of(settings: Settings) -> dict[str, str]:
    """This process's variables, and those by which another gets the same servers and secrets."""
    assert settings.database_url is not None
    assert settings.kafka_bootstrap is not None
    assert settings.encryption_keys is not None
    return {
        **inherited_environment(),
        "SYNCSTORE_DATABASE_URL": settings.database_url,
        "SYNCSTORE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "SYNCSTORE_ENCRYPTION_KEYS": settings.encryption_keys,
    }


def kafka_of(settings: Settings) -> KafkaSettings:
    assert settings.kafka_bootstrap is not None, "with_servers() comes first"
    return KafkaSettings(
        bootstrap=settings.kafka_bootstrap,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        sasl_username=settings.kafka_sasl_username,
        sasl_password=settings.kafka_sasl_password,
        ssl_ca_file=settings.kafka_ssl_ca_file,
        ssl_cert_file=settings.kafka_ssl_cert_file,
        ssl_key_file=settings.kafka_ssl_key_file,
    )
