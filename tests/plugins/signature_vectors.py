"""`--signature-vectors FILE`: run the published signature examples of another file."""

import json
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
BESIDE = REPOSITORY.parent / "shared" / "platforms" / "signature_vectors.json"
VECTORS = pytest.StashKey[dict[str, dict[str, Any]]]()
VENDORED = REPOSITORY / "tests" / "data" / "signature_vectors.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--signature-vectors", type=Path, default=None, metavar="FILE", help="signature examples to check")


def pytest_configure(config: pytest.Config) -> None:
    file: Path = config.getoption("--signature-vectors") or (BESIDE if BESIDE.exists() else VENDORED)
    try:
        vectors = json.loads(file.read_text())["vectors"]
        config.stash[VECTORS] = {vector["id"]: vector for vector in vectors}
    except (OSError, ValueError, KeyError, TypeError) as reason:
        raise pytest.UsageError(f"--signature-vectors: {file} holds no signature vectors ({reason!r})") from reason


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `signature_vector` runs once for each vector of the file."""
    if "signature_vector" in metafunc.fixturenames:
        vectors = metafunc.config.stash[VECTORS]
        metafunc.parametrize("signature_vector", vectors.values(), ids=vectors.keys())
