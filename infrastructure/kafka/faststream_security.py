"""Kafka's security settings as FastStream wants them."""

from __future__ import annotations

from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from infrastructure.kafka.client import KafkaSettings


def security_of(kafka: KafkaSettings) -> BaseSecurity | None:
    """None for a plain connection without authentication."""
    options = kafka.client_options()
    protocol = options.get("security_protocol", "PLAINTEXT")
    if protocol == "PLAINTEXT":
        return None
    use_ssl = protocol.endswith("SSL")
    context = options.get("ssl_context")
    if not protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=context, use_ssl=use_ssl)
    mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    made = mechanisms[options["sasl_mechanism"]]
    return made(
        username=options["sasl_plain_username"],
        password=options["sasl_plain_password"],
        ssl_context=context,
        use_ssl=use_ssl,
    )
