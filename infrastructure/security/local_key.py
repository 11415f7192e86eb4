"""The encryption key of a local installation: made once, kept beside its data, readable by its owner only."""

from __future__ import annotations

import base64
import os
from pathlib import Path


def new_key(name: str) -> str:
    """An entry for SYNCSTORE_ENCRYPTION_KEYS."""
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


def local_key(folder: Path) -> str:
    """The folder's key, made if there is none. Two processes that make it at once end with the same one."""
    path = folder / "encryption.key"
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"encryption.key.{os.getpid()}"
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_key("local"))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
