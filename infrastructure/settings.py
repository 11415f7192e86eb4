"""Every setting, read once from the environment into frozen values. Nothing else in SyncStore reads the environment.

A variable that cannot be used, or that no setting has the name of, stops the start with its name and what is wrong.
"""

from __future__ import annotations

import base64
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
import psycopg
from msgspec import Meta, Struct
from psycopg.conninfo import conninfo_to_dict

from domain.errors import SyncStoreError
from infrastructure.addresses import is_host, is_host_and_port, is_http_url, is_port

PREFIX: Final = "SYNCSTORE_"
IGNORED: Final = ("SYNCSTORE_TEST_",)

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class WrongSettings(SyncStoreError):
    """One or more environment variables cannot be used; the message names each."""


class Settings(Struct, frozen=True, kw_only=True, rename=lambda name: PREFIX + name.upper()):
    """Field `database_url` is the variable SYNCSTORE_DATABASE_URL, and so on."""

    database_url: str | None = None
    """PostgreSQL of one's own; with `kafka_bootstrap` set as well, no local stack is started."""
    kafka_bootstrap: str | None = None
    """host:port,host:port"""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = None
    kafka_ssl_ca_file: str | None = None
    kafka_ssl_cert_file: str | None = None
    kafka_ssl_key_file: str | None = None
    local_folder: str = ".local"
    """Where the local stack keeps data, jars, logs and its own secrets."""

    api_host: str = "127.0.0.1"
    api_port: Port = 8080
    metrics_port: Port = 0
    """Of processes other than the API: 0 leaves their metrics to `syncstore up`, which assigns ports."""
    public_url: str | None = None
    """How shops reach the API for their notifications; default: the API's own address."""
    api_pool: Annotated[int, Meta(ge=2, le=100)] = 10
    worker_pool: Annotated[int, Meta(ge=2, le=100)] = 8

    encryption_keys: str | None = None
    """id:base64 of 32 bytes[,id:base64...]; the first seals, all open. The local stack makes its own."""

    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 7
    """How long answers to idempotency keys, ended jobs and handled notifications are kept. Events are kept for ever."""

    push_concurrency: Annotated[int, Meta(ge=1, le=50)] = 5
    """Calls under way at once per shop (R98)."""
    poll_seconds: Seconds = 60.0
    """Between two looks at what changed in a shop without a notification."""
    full_scan_seconds: Seconds = 21_600.0
    """Between two full comparisons of a shop with the listings (price edits do not move Shopee's update time)."""

    picture_hosts: str | None = None
    """Hosts, separated by commas, from which product pictures are fetched; unset allows every host."""
    pictures: Literal["web", "drawn"] = "web"
    """"drawn" makes a plain picture for each address instead of fetching it: for simulated shops."""

    supervised: bool = False
    """Set by `syncstore up` for its parts: they end when their standard input does, for it holds the other end."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @property
    def uses_local_stack(self) -> bool:
        return self.database_url is None or self.kafka_bootstrap is None

    @property
    def folder(self) -> Path:
        return Path(self.local_folder).resolve()

    def keys(self) -> dict[str, bytes]:
        """Encryption keys by id, the sealing one first.

        Raises WrongSettings.
        """
        keys: dict[str, bytes] = {}
        for entry in (self.encryption_keys or "").split(","):
            if not entry.strip():
                continue
            name, _, encoded = entry.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:
                key = b""
            if not _KEY_ID.fullmatch(name) or len(key) != 32:
                raise WrongSettings(
                    "SYNCSTORE_ENCRYPTION_KEYS must be id:base64-of-32-bytes, several separated by commas; "
                    "make one with: syncstore keys new-encryption-key"
                )
            if name in keys:
                raise WrongSettings(f"SYNCSTORE_ENCRYPTION_KEYS has two keys {name!r}; give each an id of its own")
            keys[name] = key
        return keys


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment.

    Raises WrongSettings naming the variable.
    """
    environ = os.environ if environ is None else environ
    mine = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not name.startswith(IGNORED) and value != ""
    }
    known = {PREFIX + field.upper() for field in Settings.__struct_fields__}
    for name in sorted(mine.keys() - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise WrongSettings(f"{name} is not a setting of SyncStore{hint}")
    try:
        settings = msgspec.convert(mine, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise WrongSettings(f"a setting cannot be used: {error}") from error
    _check_addresses(settings)
    _check_pairs(settings)
    return settings


def inherited_environment() -> dict[str, str]:
    """What processes started by this one get."""
    return dict(os.environ)


def _check_addresses(settings: Settings) -> None:
    """Values are shown where they cannot hold a secret."""
    brokers = settings.kafka_bootstrap
    if brokers is not None and not all(is_host_and_port(broker.strip()) for broker in brokers.split(",")):
        raise WrongSettings(
            f"SYNCSTORE_KAFKA_BOOTSTRAP={brokers} must be host:port, several separated by commas, "
            "like kafka-1:9092,kafka-2:9092"
        )
    if not is_host(settings.api_host):
        raise WrongSettings(
            f"SYNCSTORE_API_HOST={settings.api_host} must be a host name or an IP address, like 127.0.0.1; "
            "the port is SYNCSTORE_API_PORT"
        )
    if settings.public_url is not None and not is_http_url(settings.public_url):
        raise WrongSettings(
            "SYNCSTORE_PUBLIC_URL must be an address like https://sync.example.com, without a slash at its end, "
            "a query or a password"
        )
    if settings.picture_hosts is not None and not all(map(is_host, settings.picture_hosts.replace(" ", "").split(","))):
        raise WrongSettings(
            f"SYNCSTORE_PICTURE_HOSTS={settings.picture_hosts} must be host names separated by commas, "
            "like images.example.com,cdn.example.com"
        )
    if settings.folder.exists() and not settings.folder.is_dir():
        raise WrongSettings(f"SYNCSTORE_LOCAL_FOLDER={settings.local_folder} must be a folder; a file is there")


def _check_pairs(settings: Settings) -> None:
    if (settings.database_url is None) != (settings.kafka_bootstrap is None):
        missing = "SYNCSTORE_DATABASE_URL" if settings.database_url is None else "SYNCSTORE_KAFKA_BOOTSTRAP"
        raise WrongSettings(
            f"{missing} is missing: set both to use servers of your own, or neither for the local stack"
        )
    try:
        ports = str(conninfo_to_dict(settings.database_url or "").get("port") or "").split(",")
        if not all(is_port(port) for port in ports if port):
            raise WrongSettings("SYNCSTORE_DATABASE_URL: the port must be a number from 1 to 65535, like 5432")
    except psycopg.ProgrammingError:
        raise WrongSettings(  # without the driver's words, which may repeat the password
            "SYNCSTORE_DATABASE_URL is not an address of PostgreSQL, "
            "like postgresql://user:password@host:5432/database (special characters in %XX form)"
        ) from None
    if settings.kafka_security_protocol.startswith("SASL") and not (
        settings.kafka_sasl_mechanism and settings.kafka_sasl_username and settings.kafka_sasl_password
    ):
        raise WrongSettings(
            f"SYNCSTORE_KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol} needs "
            "SYNCSTORE_KAFKA_SASL_MECHANISM, SYNCSTORE_KAFKA_SASL_USERNAME and SYNCSTORE_KAFKA_SASL_PASSWORD"
        )
    if settings.kafka_ssl_key_file is not None and settings.kafka_ssl_cert_file is None:
        raise WrongSettings(
            "SYNCSTORE_KAFKA_SSL_KEY_FILE needs SYNCSTORE_KAFKA_SSL_CERT_FILE, the certificate it is of"
        )
    for name in ("kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file"):
        file = getattr(settings, name)
        if file is not None and not Path(file).is_file():
            raise WrongSettings(f"{PREFIX}{name.upper()}: there is no file {file}")
    if not settings.uses_local_stack and not settings.encryption_keys:
        raise WrongSettings(
            "SYNCSTORE_ENCRYPTION_KEYS is missing: shop tokens are sealed with it; "
            "make one with: syncstore keys new-encryption-key"
        )
    settings.keys()
