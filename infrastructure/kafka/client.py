"""How to reach Kafka, and what it is called when it cannot be reached."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka.errors import KafkaError
from msgspec import Struct

from domain.errors import Transient


class KafkaUnavailable(Transient):
    """No broker answers. Commands are accepted all the same; their events wait in the outbox."""


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """`bootstrap` is host:port, several separated by commas. The rest as SYNCSTORE_KAFKA_* has it."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_ca_file: str | None = None
    ssl_cert_file: str | None = None
    ssl_key_file: str | None = None

    def __repr__(self) -> str:
        return f"KafkaSettings(bootstrap={self.bootstrap!r}, security_protocol={self.security_protocol!r})"

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of any aiokafka client.

        Raises OSError when a certificate cannot be read.
        """
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "security_protocol": self.security_protocol}
        if self.security_protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=self.ssl_ca_file)
            if self.ssl_cert_file:
                context.load_cert_chain(self.ssl_cert_file, self.ssl_key_file)
            options["ssl_context"] = context
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return options


@contextmanager
def reaching(kafka: KafkaSettings) -> Iterator[None]:
    """Raise KafkaUnavailable, with aiokafka's error as its cause, where no broker can be had."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailable(
            f"Kafka at {kafka.bootstrap} does not answer ({type(error).__name__}): is it running, is the address right?"
        ) from error
