"""Real PostgreSQL and Kafka for tests: one stack per session, each part started when a test first asks for it.

SYNCSTORE_TEST_DATABASE_URL and SYNCSTORE_TEST_KAFKA_BOOTSTRAP, set together, name running servers to use instead.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import msgspec
import pytest

from infrastructure.local_stack.errors import LocalStackError
from infrastructure.local_stack.process import ProcessIdentity, identify, is_alive
from infrastructure.local_stack.stack import LocalStack, Part, StackAddress

JARS = Path(__file__).parents[2] / ".local" / "jars"
PREFIX = "syncstore-tests-"
OWNER = "owner.json"
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes; databases that come and go take less."""


@pytest.fixture
def stack_folder() -> Iterator[Path]:
    """A folder for a test's own stack, which is stopped and deleted at the end.

    Not pytest's tmp_path: pytest closes that to every user but its own, and run by root, PostgreSQL is another user.
    """
    folder = owned_folder()
    yield folder
    dispose(folder)


@pytest.fixture(scope="session")
def session_stack() -> Iterator[LocalStack]:
    """Nothing of it runs yet. It skips fsync, so it is for tests that do not pull the plug."""
    dispose_abandoned()
    folder = owned_folder(_fastest())
    yield LocalStack(folder, durable=False, jars=JARS)
    dispose(folder)


@pytest.fixture(scope="session")
def local_stack_address(request: pytest.FixtureRequest) -> StackAddress:
    return _address(request, *Part)


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    return _address(request, Part.POSTGRES).database_url


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    return _address(request, Part.KAFKA).kafka_bootstrap


def _address(request: pytest.FixtureRequest, *parts: Part) -> StackAddress:
    database_url = os.environ.get("SYNCSTORE_TEST_DATABASE_URL")
    kafka_bootstrap = os.environ.get("SYNCSTORE_TEST_KAFKA_BOOTSTRAP")
    if database_url and kafka_bootstrap:
        return StackAddress(database_url=database_url, kafka_bootstrap=kafka_bootstrap)
    stack: LocalStack = request.getfixturevalue("session_stack")
    return stack.up(parts)


def _fastest() -> Path | None:
    """Memory, where there is enough: a database is hundreds of files, and ext4 looks long for an inode to make a file
    with where so many were deleted in the last minutes.
    """
    enough = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if enough else None


def owned_folder(where: Path | None = None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
    (folder / OWNER).write_bytes(msgspec.json.encode(identify(os.getpid())))
    return folder


def dispose_abandoned() -> None:
    """Servers of a test run that was killed would run forever; the next run on the machine stops them."""
    found = (folder.glob(f"{PREFIX}*/{OWNER}") for folder in {Path(tempfile.gettempdir()), MEMORY})
    for owner in chain.from_iterable(found):
        # Another user's folder, or one that another run disposes of now, is not ours to clean.
        with suppress(OSError, msgspec.DecodeError, LocalStackError):
            if not is_alive(msgspec.json.decode(owner.read_bytes(), type=ProcessIdentity)):
                dispose(owner.parent)


def dispose(folder: Path) -> None:
    LocalStack(folder).down()
    shutil.rmtree(folder)
