"""Whether a text is an address that can be used, so that a mistyped one is told before anything is asked of it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")


def is_host(text: str) -> bool:
    """A host name or an IP address, without brackets or a port."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True


def is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535


def is_host_and_port(text: str) -> bool:
    """`host:port`, an IPv6 address in brackets."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        return ":" in host and is_host(host[1:-1]) and is_port(port)
    return ":" not in host and is_host(host) and is_port(port)


def is_http_url(text: str) -> bool:
    """With a scheme and a host, and nothing behind a path that does not end with a slash."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and "@" not in parts.netloc
        and is_host(parts.hostname or "")
        and port != 0
        and not parts.netloc.endswith(":")
        and not text.endswith("/")
        and not set(text) & {"?", "#", " "}
    )
